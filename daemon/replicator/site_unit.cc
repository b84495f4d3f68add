#include "daemon/replicator/site_unit.h"

#include <algorithm>
#include <boost/json.hpp>

#include "storage/base/bytes.h"
#include "storage/base/names.h"
#include "storage/base/text.h"
#include "storage/base/times.h"

namespace holdfast {

namespace json = boost::json;

namespace {

const std::string kMarkers = "holdfast/units/";
constexpr const char* kNever = "never";
constexpr int64_t kPlain = 1, kWithRepositories = 2;  // versions of a marker

std::string text(const json::object& o, std::string_view key) {
  const json::value* v = o.if_contains(key);
  return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string();
}

int64_t whole(const json::object& o, std::string_view key) {
  const json::value* v = o.if_contains(key);
  return v != nullptr && v->is_int64() ? v->get_int64() : -1;
}

// They make the whole object.
Result<std::vector<uint64_t>> parts_of(const json::object& entry, uint64_t size_bytes) {
  std::vector<uint64_t> parts;
  const json::value* list = entry.if_contains("parts");
  if (list == nullptr) return parts;
  const auto wrong = [] { return error(Code::kCorrupt, "the marker has an object whose parts are not its size"); };
  uint64_t sum = 0;
  if (!list->is_array()) return wrong();
  for (const json::value& v : list->get_array()) {
    if (!v.is_int64() || v.get_int64() < 0 || static_cast<uint64_t>(v.get_int64()) > size_bytes - sum) return wrong();
    parts.push_back(static_cast<uint64_t>(v.get_int64()));
    sum += parts.back();
  }
  if (sum != size_bytes) return wrong();
  return parts;
}

Result<UnitObject> object_of(const json::value& entry) {
  const json::object* e = entry.if_object();
  if (e == nullptr || text(*e, "key").empty() || whole(*e, "size") < 0) return error(Code::kCorrupt, "the marker has an object without name or size");
  UnitObject object{text(*e, "key"), static_cast<uint64_t>(whole(*e, "size")), text(*e, "etag"), {}, {}};
  HF_TRY(object.part_bytes, parts_of(*e, object.size_bytes));
  const json::value* checksum = e->if_contains("checksum");
  if (checksum == nullptr || !checksum->is_object()) return object;
  const json::object& c = checksum->get_object();
  const json::value* composite = c.if_contains("composite");
  const int64_t algorithm = whole(c, "algorithm");
  if (algorithm > static_cast<int64_t>(ChecksumAlgorithm::kNone) && algorithm <= static_cast<int64_t>(ChecksumAlgorithm::kXxhash128)) {
    object.checksum = {static_cast<ChecksumAlgorithm>(algorithm), composite != nullptr && composite->is_bool() && composite->get_bool() ? ChecksumType::kComposite : ChecksumType::kFullObject, text(c, "value")};
  }
  return object;
}

// SHA-256, as hex; becomes part of a key.
bool is_digest(const std::string& text) {
  const auto raw = from_hex(text);
  return raw && raw->size() == 32 && hex(*raw) == text;
}

Result<RepositoryRef> repository_of(const json::value& entry) {
  const json::object* e = entry.if_object();
  const std::string name = e == nullptr ? "" : text(*e, "name");
  if (!is_repository(name) || !is_digest(text(*e, "list")) || whole(*e, "blobs") < 0 || whole(*e, "size") < 0) {
    return error(Code::kCorrupt, "the marker names a repository that cannot be one");
  }
  return RepositoryRef{name, text(*e, "list"), static_cast<uint64_t>(whole(*e, "blobs")), static_cast<uint64_t>(whole(*e, "size"))};
}

}  // namespace

bool is_repository(std::string_view name) { return name.starts_with("kopia/") && is_dns_label(name.substr(6)); }

std::string unit_prefix(const std::string& cluster, const std::string& backup) { return "clusters/" + cluster + "/backups/" + backup + "/"; }

std::string marker_prefix(const std::string& cluster) { return kMarkers + (cluster.empty() ? "" : cluster + "/"); }

std::string marker_key(const SiteUnit& u) {
  return marker_prefix(u.cluster) + u.backup + "," + compact_date(u.started_ms) + "," + (u.expires_ms == 0 ? kNever : compact_date(u.expires_ms)) + "," + u.source + "," + u.policy + "," + u.tier +
         (u.locked_until_ms == 0 ? "" : "," + compact_date(u.locked_until_ms));
}

std::optional<SiteUnit> unit_of_key(const std::string& key) {
  if (!key.starts_with(kMarkers)) return std::nullopt;
  const auto path = split_text(std::string_view(key).substr(kMarkers.size()), '/');
  if (path.size() != 2) return std::nullopt;
  const auto parts = split_text(path[1], ',');
  if ((parts.size() != 6 && parts.size() != 7) || !is_dns_label(path[0]) || !is_dns_subdomain(parts[0])) return std::nullopt;
  SiteUnit unit;
  unit.cluster = path[0];
  unit.backup = parts[0];
  const auto started = parse_compact_date(parts[1]);
  const auto expires = parts[2] == kNever ? std::optional<int64_t>(0) : parse_compact_date(parts[2]);
  const auto locked = parts.size() == 6 ? std::optional<int64_t>(0) : parse_compact_date(parts[6]);
  if (!started || !expires || !locked) return std::nullopt;
  unit.started_ms = *started;
  unit.expires_ms = *expires;
  unit.source = parts[3];
  unit.policy = parts[4];
  unit.tier = parts[5];
  unit.locked_until_ms = *locked;
  // Only what leads back to the very key: else another one would be removed.
  return marker_key(unit) == key ? std::optional(unit) : std::nullopt;
}

std::string marker_body(const SiteUnit& u, const UnitContents& contents) {
  json::array list, repositories;
  for (const UnitObject& o : contents.objects) {
    json::object entry{{"key", o.key}, {"size", o.size_bytes}, {"etag", o.etag}};
    if (o.checksum.algorithm != ChecksumAlgorithm::kNone) {
      entry["checksum"] = json::object{{"algorithm", static_cast<int64_t>(o.checksum.algorithm)}, {"composite", o.checksum.type == ChecksumType::kComposite}, {"value", o.checksum.value}};
    }
    if (!o.part_bytes.empty()) entry["parts"] = json::array(o.part_bytes.begin(), o.part_bytes.end());
    list.push_back(std::move(entry));
  }
  for (const RepositoryRef& r : contents.repositories) repositories.push_back({{"name", r.name}, {"list", r.digest}, {"blobs", r.blobs}, {"size", r.size_bytes}});
  // One that knows nothing of repositories must not take such a unit for whole, or remove it.
  json::object marker{{"version", repositories.empty() ? kPlain : kWithRepositories}, {"cluster", u.cluster}, {"backup", u.backup}, {"started", rfc3339(u.started_ms)},
                      {"expiresAt", u.expires_ms == 0 ? "" : rfc3339(u.expires_ms)}, {"source", u.source}, {"policy", u.policy}, {"tier", u.tier},
                      {"lockedUntil", u.locked_until_ms == 0 ? "" : rfc3339(u.locked_until_ms)}, {"objects", std::move(list)}};
  if (!repositories.empty()) marker["repositories"] = std::move(repositories);
  return json::serialize(marker);
}

Result<UnitContents> contents_of_marker(const std::string& body) {
  boost::system::error_code ec;
  const json::value v = json::parse(body, ec);
  const json::object* o = ec ? nullptr : v.if_object();
  if (o == nullptr || whole(*o, "version") < 1) return error(Code::kCorrupt, "it is no marker");
  if (whole(*o, "version") > kWithRepositories) return error(Code::kUnimplemented, "it was written by a newer version");
  const json::value* list = o->if_contains("objects");
  if (list == nullptr || !list->is_array()) return error(Code::kCorrupt, "the marker names no objects");
  UnitContents contents;
  for (const json::value& entry : list->get_array()) {
    HF_TRY(UnitObject object, object_of(entry));
    contents.objects.push_back(std::move(object));
  }
  const json::value* repositories = o->if_contains("repositories");
  if (repositories == nullptr) return contents;
  if (!repositories->is_array()) return error(Code::kCorrupt, "the marker's repositories are no list");
  for (const json::value& entry : repositories->get_array()) {
    HF_TRY(RepositoryRef ref, repository_of(entry));
    contents.repositories.push_back(std::move(ref));
  }
  return contents;
}

Result<UnitContents> contents_of_unit(const SiteUnit& unit, const std::string& body) {
  HF_TRY(UnitContents contents, contents_of_marker(body));
  for (const UnitObject& o : contents.objects) {
    if (!("clusters/" + unit.cluster + "/" + o.key).starts_with(unit_prefix(unit.cluster, unit.backup))) return error(Code::kCorrupt, "the marker at the site names \"" + o.key + "\", which is no part of that backup");
  }
  return contents;
}

Result<UnitContents> read_marker(RemoteStore& site, const SiteUnit& unit) {
  HF_TRY(const std::string body, site.get(marker_key(unit), kMaxMarkerBytes));
  return contents_of_unit(unit, body);
}

Result<std::vector<RemoteObject>> list_all(RemoteStore& site, const std::string& prefix) {
  std::vector<RemoteObject> all;
  RemoteList request{prefix, "", "", 1000};
  for (;;) {
    HF_TRY(RemotePage page, site.list(request));
    std::move(page.objects.begin(), page.objects.end(), std::back_inserter(all));
    if (page.next.empty()) return all;
    request.token = page.next;
  }
}

Result<std::vector<SiteUnit>> list_units(RemoteStore& site, const std::string& cluster) {
  std::vector<SiteUnit> units;
  HF_TRY(const auto markers, list_all(site, marker_prefix(cluster)));
  for (const RemoteObject& o : markers) {
    auto unit = unit_of_key(o.key);
    if (!unit) continue;
    unit->copied_ms = o.modified_ms;
    units.push_back(std::move(*unit));
  }
  std::sort(units.begin(), units.end(), [](const SiteUnit& a, const SiteUnit& b) { return std::tuple(a.cluster, a.started_ms, a.backup) < std::tuple(b.cluster, b.started_ms, b.backup); });
  return units;
}

}  // namespace holdfast
