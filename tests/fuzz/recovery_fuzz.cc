// What lies at a site of an appliance: bundles, their names, claims. Read or refused, whatever it is.
#include <cstdlib>

#include "daemon/recovery/claim.h"
#include "daemon/recovery/sealed_bundle.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  const std::string text(reinterpret_cast<const char*>(data), size);
  static const SecretKey key = [] {
    SeededRandom random(1);
    return SecretKey::random(random);
  }();
  (void)open_bundle(text, key);
  // As it is once it was opened.
  if (const auto content = decode_bundle(text)) {
    const auto again = decode_bundle(encode(*content));
    if (!again || encode(*again) != encode(*content)) std::abort();
    BundleReport report;
    describe(*content, report);
    if (!differences(*content, *again).empty()) std::abort();
  }
  if (const auto name = bundle_of_key(text)) {
    if (name->key() != text) std::abort();
  }
  if (const auto claim = parse_claim(text, "holdfast-1")) {
    const auto again = parse_claim(claim_body(*claim), "holdfast-1");
    if (!again || !again->same_holder(*claim)) std::abort();
  }
  return 0;
}
