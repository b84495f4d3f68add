// What comes out of a restore point that anybody may have written: the packed archive, the tar in it, paths, objects; and
// the specification of a restore and the modifiers that it names. The first byte chooses.
#include "k8s/bucket/archive_reader.h"
#include "k8s/bucket/gzip_writer.h"
#include "k8s/restore/item_path.h"
#include "k8s/restore/item_transforms.h"
#include "k8s/restore/merge_patch.h"
#include "k8s/restore/resource_modifiers.h"
#include "k8s/trial/comparison.h"
#include "k8s/trial/harmless.h"
#include "k8s/trial/readiness.h"
#include "k8s/yaml_json.h"

using namespace holdfast;
using namespace holdfast::k8s;

namespace {

void check(bool holds) {
  if (!holds) __builtin_trap();
}

GunzipStream::Source source_of(std::string_view bytes, size_t step) {
  return [bytes, step, at = size_t{0}](MutableByteSpan out) mutable -> Result<size_t> {
    const size_t n = std::min({out.size(), bytes.size() - at, step});
    std::memcpy(out.data(), bytes.data() + at, n);
    at += n;
    return n;
  };
}

// The same whatever the pieces are; within the limits, and no path that leads out.
void fuzz_archive(std::string_view packed) {
  ArchiveLimits limits;
  limits.entry_bytes = 4096;
  limits.total_bytes = 1 << 20;
  limits.entries = 100;
  const auto read = [&](size_t step) {
    std::string seen;
    const auto done = read_archive(source_of(packed, step), limits, [&](const std::string& path, std::string_view content) -> Result<void> {
      check(content.size() <= limits.entry_bytes && path.front() != '/' && path.find("/../") == std::string::npos && !path.starts_with("../"));
      (void)parse_item_path(path);
      seen += path + "\n" + std::string(content) + "\n";
      return {};
    });
    return std::pair(seen, done.has_value());
  };
  const auto whole = read(1 << 20), pieces = read(13);
  check(whole.second == pieces.second);
  if (whole.second) check(whole.first == pieces.first);  // how far a bad one is read may differ
}

bool has_null(const json::value& v) {
  if (v.is_null()) return true;
  if (v.is_array()) return false;  // arrays are taken whole
  if (!v.is_object()) return false;
  for (const auto& [key, value] : v.get_object()) {
    if (has_null(value)) return true;
  }
  return false;
}

void fuzz_object(std::string_view text) {
  const auto object = parse_object(text);
  if (!object) return;
  std::vector<std::string> problems;
  const RestoreSpec spec = parse_restore_spec(*object, problems);
  for (const char* kind : {"pods", "services", "persistentvolumeclaims", "persistentvolumes", "serviceaccounts", "secrets", "jobs.batch",
                           "rolebindings.rbac.authorization.k8s.io", "mutatingwebhookconfigurations.admissionregistration.k8s.io",
                           "customresourcedefinitions.apiextensions.k8s.io", "configmaps", "leases.coordination.k8s.io"}) {
    (void)left_out(kind, *object);
    json::object changed = *object;
    transform(kind, changed, {&spec, [](const std::string& volume) { return volume.empty(); }});
    label_as_restored(changed, "r", "b");
    json::object again = changed;
    if (json::object* metadata = object_in(again, "metadata")) (*metadata)["managedFields"] = array_at(object_at(*object, "metadata"), "managedFields");
    RestoreSpec plain;
    transform(kind, again, {&plain, {}});  // as with a live object: nothing more comes off
    if (object_in(changed, "metadata") != nullptr) check(again == changed);
    json::object harmless = changed;
    make_harmless(kind, harmless, true);
    check(object_difference(changed, changed).empty());
    (void)object_difference(harmless, *object);
    (void)why_not_ready(kind, *object);
    if (has_null(changed)) continue;
    json::value document = *object;
    apply_merge_patch(document, merge_patch(*object, changed));
    check(document == json::value(changed));
  }
}

// Rules as they come, on an object with something of everything in it; what comes out is an object with a name.
void fuzz_modifiers(const std::string& text) {
  (void)json_of_yaml(text);
  const auto modifiers = ResourceModifiers::parse({{"data", json::object{{"rules", text}}}});
  if (!modifiers) return;
  json::object object = *parse_object(R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"n","namespace":"a","labels":{"x":"y"},"finalizers":["f"]},
      "spec":{"replicas":1,"ports":[{"port":1}],"containers":[{"name":"c","env":[{"name":"e"}]}]}})");
  const auto done = modifiers->apply("deployments.apps", object);
  if (done) check(!view_at(object_at(object, "metadata"), "name").empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
    case 0: fuzz_archive(text); break;
    case 1: fuzz_archive(gzip(text)); break;
    case 2: fuzz_object(text); break;
    case 3: (void)parse_item_path(text); break;
    case 4: fuzz_modifiers(text); break;
  }
  return 0;
}
