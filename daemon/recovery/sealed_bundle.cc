#include "daemon/recovery/sealed_bundle.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

#include "storage/base/digest.h"
#include "storage/base/names.h"

namespace holdfast {

namespace json = boost::json;

namespace {

const std::string kPrefix = "holdfast/bundles/";
constexpr int64_t kFormat = 1;
constexpr size_t kMaxHeaderBytes = 64 << 10;

std::string key_for(const SecretKey& pool_key, std::string_view purpose) { return hmac_sha256(as_text(pool_key.bytes()), purpose); }

Result<SecretKey> sealing_key(const SecretKey& pool_key) { return SecretKey::from_bytes(as_bytes(key_for(pool_key, "holdfast bundle"))); }

std::optional<uint64_t> number_of(std::string_view text) {
  uint64_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string padded(uint64_t number, size_t width) {
  const std::string digits = std::to_string(number);
  return digits.size() < width ? std::string(width - digits.size(), '0') + digits : digits;
}

struct ReadHeader {
  BundleHeader header;
  std::string key_by_recovery, pool_id;
};

Result<ReadHeader> read_header(std::string_view line) {
  const auto broken = [] { return error(Code::kCorrupt, Subject::kConfig, "this is no bundle of an appliance"); };
  boost::system::error_code ec;
  const json::value v = json::parse(line, ec);
  const json::object* o = ec ? nullptr : v.if_object();
  if (o == nullptr) return broken();
  const auto text = [&](const char* key) {
    const json::value* member = o->if_contains(key);
    return member != nullptr && member->is_string() ? std::string(member->get_string()) : std::string();
  };
  const auto number = [&](const char* key) {
    const json::value* member = o->if_contains(key);
    return member != nullptr && member->is_int64() ? member->get_int64() : int64_t{-1};
  };
  if (number("holdfast_bundle") > kFormat) return error(Code::kUnimplemented, Subject::kConfig, "the bundle was written by a newer version of Holdfast (format " + std::to_string(number("holdfast_bundle")) + "); this one reads format " + std::to_string(kFormat));
  const auto wrapped = from_base64(text("key_by_recovery")), pool_id = from_base64(text("pool_id"));
  if (number("holdfast_bundle") != kFormat || number("generation") < 0 || number("number") < 0 || !wrapped || !pool_id) return broken();
  return ReadHeader{{text("appliance"), text("host"), static_cast<uint64_t>(number("generation")), static_cast<uint64_t>(number("number")), number("written_ms")},
                    std::string(as_text(*wrapped)), std::string(as_text(*pool_id))};
}

}  // namespace

std::string bundles_prefix(const std::string& appliance) { return kPrefix + (appliance.empty() ? "" : appliance + "/"); }

std::string BundleName::key() const { return bundles_prefix(appliance) + padded(generation, 6) + "," + padded(number, 12) + "," + digest; }

std::optional<BundleName> bundle_of_key(const std::string& key) {
  if (!key.starts_with(kPrefix)) return std::nullopt;
  const std::string rest = key.substr(kPrefix.size());
  const size_t slash = rest.find('/'), first = rest.find(',', slash == std::string::npos ? 0 : slash);
  const size_t second = first == std::string::npos ? first : rest.find(',', first + 1);
  if (slash == std::string::npos || second == std::string::npos) return std::nullopt;
  const auto generation = number_of(std::string_view(rest).substr(slash + 1, first - slash - 1)), number = number_of(std::string_view(rest).substr(first + 1, second - first - 1));
  if (!generation || !number) return std::nullopt;
  BundleName name{rest.substr(0, slash), *generation, *number, rest.substr(second + 1)};
  if (name.key() != key || !is_dns_label(name.appliance)) return std::nullopt;
  return name;
}

Result<std::vector<BundleName>> list_bundles(RemoteStore& site, const std::string& appliance) {
  std::vector<BundleName> names;
  RemoteList request{bundles_prefix(appliance), "", "", 1000};
  do {
    HF_TRY(const RemotePage page, site.list(request));
    for (const RemoteObject& o : page.objects) {
      if (auto name = bundle_of_key(o.key)) names.push_back(std::move(*name));
    }
    request.token = page.next;
  } while (!request.token.empty());
  std::sort(names.begin(), names.end(), [](const BundleName& a, const BundleName& b) { return std::tuple(a.appliance, a.generation, a.number) < std::tuple(b.appliance, b.generation, b.number); });
  return names;
}

std::string digest_of(const BundleKeys& keys, const std::string& content) {
  return hex(as_bytes(hmac_sha256(key_for(keys.pool_key, "holdfast bundle digest"), content).substr(0, 8)));
}

std::string seal_bundle(const BundleKeys& keys, const BundleHeader& h, const std::string& content, Random& random) {
  const std::string line = json::serialize(json::object{{"holdfast_bundle", kFormat}, {"appliance", h.appliance}, {"generation", static_cast<int64_t>(h.generation)}, {"number", static_cast<int64_t>(h.number)},
                                                        {"written_ms", h.written_ms}, {"host", h.host}, {"key_by_recovery", base64(as_bytes(keys.key_by_recovery))}, {"pool_id", base64(as_bytes(keys.pool_id))}});
  return line + "\n" + seal_text(*sealing_key(keys.pool_key), content, line, random);
}

Result<OpenedBundle> open_bundle(const std::string& sealed, const SecretKey& recovery_key) {
  const size_t end = std::string_view(sealed).substr(0, kMaxHeaderBytes).find('\n');
  if (end == std::string::npos) return error(Code::kCorrupt, Subject::kConfig, "this is no bundle of an appliance");
  const std::string_view line = std::string_view(sealed).substr(0, end);
  HF_TRY(const ReadHeader read, read_header(line));
  const auto pool_key = unwrap_key(recovery_key, read.key_by_recovery, read.pool_id);
  if (!pool_key) return error(Code::kPermissionDenied, Subject::kConfig, "the recovery key does not open the bundle of appliance " + read.header.appliance + ": it is another appliance's, or the bundle is damaged");
  HF_TRY(const SecretKey key, sealing_key(*pool_key));
  const auto content = open_text(key, std::string_view(sealed).substr(end + 1), line);
  if (!content) return error(Code::kCorrupt, Subject::kConfig, "the bundle is damaged: its content does not belong to its head");
  OpenedBundle opened;
  opened.header = read.header;
  opened.size_bytes = sealed.size();
  HF_TRY(opened.content, decode_bundle(*content));
  return opened;
}

BundleReport report_of(const OpenedBundle& bundle) {
  const BundleHeader& h = bundle.header;
  BundleReport report{h.appliance, h.host, h.generation, h.number, bundle.size_bytes, h.written_ms, {}, {}, {}, {}, {}, {}};
  describe(bundle.content, report);
  return report;
}

Result<OpenedBundle> fetch_bundle(RemoteStore& site, const BundleName& name, const SecretKey& recovery_key) {
  HF_TRY(const std::string sealed, site.get(name.key(), kMaxBundleBytes));
  HF_TRY(OpenedBundle opened, open_bundle(sealed, recovery_key));
  const BundleHeader& h = opened.header;
  if (h.appliance != name.appliance || h.generation != name.generation || h.number != name.number) {
    return error(Code::kCorrupt, Subject::kConfig, "bundle " + std::to_string(h.number) + " of generation " + std::to_string(h.generation) + " of appliance " + h.appliance + " lies under the name of another one");
  }
  return opened;
}

}  // namespace holdfast
