#include "daemon/replicator/unit_lock.h"

#include <algorithm>
#include <map>

#include "daemon/replicator/repository_list.h"
#include "daemon/replicator/side_by_side.h"
#include "storage/base/digest.h"

namespace holdfast {

namespace {

constexpr int64_t kNotWorthItMs = 3'600'000;

std::string document_key(const SiteUnit& unit) { return unit_prefix(unit.cluster, unit.backup) + "velero-backup.json"; }

std::string key_of(const SiteUnit& unit, const UnitObject& object) { return "clusters/" + unit.cluster + "/" + object.key; }

class Unhider {
 public:
  Unhider(RemoteStore& site, CopyProgress& progress, const std::stop_token& stop) : site_(site), progress_(progress), stop_(stop) {}

  Result<void> run(const std::string& cluster, const std::string& backup) {
    HF_CHECK(find_marker(cluster, backup));
    std::vector<const UnitObject*> data, document;
    for (const UnitObject& o : contents_.objects) {
      (key_of(unit_, o) == document_key(unit_) ? document : data).push_back(&o);
    }
    progress_.objects = contents_.objects.size();
    for (const RepositoryRef& r : contents_.repositories) HF_CHECK(unhide(r));
    HF_TRY(const Versions there, versions_by_key(unit_prefix(cluster, backup)));
    for (const auto* objects : {&data, &document}) {
      for (const UnitObject* o : *objects) HF_CHECK(unhide(*o, key_of(unit_, *o), there));
    }
    return uncover(marker_);
  }

 private:
  using Versions = std::map<std::string, std::vector<RemoteVersion>>;  // newest first

  Result<Versions> versions_by_key(const std::string& prefix) {
    HF_TRY(auto all, site_.versions(prefix));
    Versions by_key;
    for (RemoteVersion& v : all) by_key[v.key].push_back(std::move(v));
    return by_key;
  }

  // The first that was written and locked: nobody could write it before the copy was made.
  Result<void> find_marker(const std::string& cluster, const std::string& backup) {
    HF_TRY(const Versions markers, versions_by_key(marker_prefix(cluster) + backup + ","));
    for (const auto& [key, versions] : markers) {
      const auto unit = unit_of_key(key);
      if (!unit || unit->locked_until_ms <= unit_.locked_until_ms) continue;
      for (size_t i = versions.size(); i-- > 0;) {
        if (versions[i].is_marker) continue;
        HF_TRY(const RemoteObject there, site_.head_version(key, versions[i].id));
        if (there.locked_until_ms < unit->locked_until_ms) continue;
        HF_TRY(const std::string body, site_.get_version(key, versions[i].id, kMaxMarkerBytes));
        auto contents = contents_of_unit(*unit, body);
        if (!contents) continue;
        unit_ = *unit;
        contents_ = std::move(*contents);
        marker_.assign(versions.begin(), versions.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        break;
      }
    }
    if (!marker_.empty()) return {};
    return error(Code::kNotFound, "the site has no locked copy of backup \"" + backup + "\" of cluster \"" + cluster + "\"");
  }

  Result<void> unhide(const RepositoryRef& ref) {
    const RepositoryPlace place(unit_.cluster, ref.name);
    const std::string key = place.list_key(unit_, ref.digest);
    HF_TRY(const auto versions, site_.versions(key));
    std::optional<RepositoryList> list;
    size_t at = 0;
    for (size_t i = 0; i < versions.size() && !list; ++i) {
      if (versions[i].is_marker || versions[i].key != key || versions[i].size_bytes > kMaxListBytes) continue;
      HF_TRY(const std::string body, site_.get_version(key, versions[i].id, kMaxListBytes));
      if (sha256_hex(body) != ref.digest) continue;
      HF_TRY(list, parse_list(body));
      at = i;
    }
    if (!list) return error(Code::kCorrupt, key + " is gone for good");
    progress_.objects += list->blobs();
    for (const auto& [blobs, prefix] : {std::pair(&list->packs, place.unit_prefix()), std::pair(&list->indexes, place.index_prefix())}) {
      HF_TRY(const Versions there, versions_by_key(prefix + place.repository() + "/"));
      for (const UnitObject& o : *blobs) HF_CHECK(unhide(o, place.key_of(o), there));
    }
    progress_.objects_done += list->own.size();
    return uncover({versions.begin(), versions.begin() + static_cast<std::ptrdiff_t>(at) + 1});
  }

  Result<void> unhide(const UnitObject& o, const std::string& key, const Versions& there) {
    if (stop_.stop_requested()) return error(Code::kUnavailable, "it was stopped");
    const auto found = there.find(key);
    std::vector<RemoteVersion> above;  // and it, last
    if (found != there.end()) above = up_to_copied(o, found->second);
    if (above.empty()) return error(Code::kCorrupt, key + " is gone for good");
    ++progress_.objects_done;
    return uncover(above);
  }

  // Where the site makes ETags of its own: the oldest of that size.
  static std::vector<RemoteVersion> up_to_copied(const UnitObject& o, const std::vector<RemoteVersion>& versions) {
    auto end = std::find_if(versions.begin(), versions.end(), [&](const RemoteVersion& v) { return !v.is_marker && v.size_bytes == o.size_bytes && v.etag == o.etag; });
    if (end == versions.end()) {
      const auto oldest = std::find_if(versions.rbegin(), versions.rend(), [&](const RemoteVersion& v) { return !v.is_marker && v.size_bytes == o.size_bytes; });
      if (oldest == versions.rend()) return {};
      end = std::prev(oldest.base());
    }
    return {versions.begin(), std::next(end)};
  }

  // All but the last of them go, the newest last, so that none of the others comes to light.
  Result<void> uncover(const std::vector<RemoteVersion>& versions) {
    for (size_t i = versions.size() - 1; i-- > 0;) {
      const auto gone = site_.remove_version(versions[i].key, versions[i].id);
      if (!gone) return std::unexpected(gone.error().with_context("something else stands above version " + versions.back().id + " of " + versions.back().key));
    }
    return {};
  }

  RemoteStore& site_;
  CopyProgress& progress_;
  const std::stop_token& stop_;
  SiteUnit unit_;
  UnitContents contents_;
  std::vector<RemoteVersion> marker_;  // versions of the marker, the genuine one last
};

}  // namespace

int64_t lock_end(int64_t lock_ms, int64_t started_ms, int64_t now_ms) {
  if (lock_ms == 0) return 0;
  const int64_t end_ms = lock_end_ms(lock_ms, started_ms, now_ms);
  return end_ms - now_ms > std::min(kNotWorthItMs, lock_ms / 2) ? end_ms : 0;
}

Result<void> lock_unit(RemoteStore& site, const SiteUnit& unit, const UnitContents& contents, CopyLimits limits, const std::stop_token& stop) {
  std::vector<std::string> keys;
  for (const UnitObject& o : contents.objects) keys.push_back(key_of(unit, o));
  for (const RepositoryRef& ref : contents.repositories) {
    const RepositoryPlace place(unit.cluster, ref.name);
    HF_TRY(const RepositoryList list, read_list(site, unit, ref));
    for (const auto* blobs : {&list.packs, &list.indexes}) {
      for (const UnitObject& o : *blobs) keys.push_back(place.key_of(o));
    }
    keys.push_back(place.list_key(unit, ref.digest));
  }
  HF_CHECK(side_by_side(keys.size(), limits.transfers, [&](size_t i) {
    if (stop.stop_requested()) return Result<void>(error(Code::kUnavailable, "it was stopped"));
    return site.lock(keys[i], unit.locked_until_ms);
  }));
  HF_TRY(const RemoteObject document, site.head(document_key(unit)));
  if (document.locked_until_ms >= unit.locked_until_ms) return {};
  return error(Code::kFailedPrecondition, site.place().url + "/" + site.place().bucket + " does not lock what it is asked to lock");
}

Result<std::vector<SiteUnit>> list_hidden_units(RemoteStore& site) {
  HF_TRY(const auto versions, site.versions(marker_prefix("")));
  const auto now_ms = site.now_ms();
  std::map<std::string, bool> hidden;  // by key: the newest version is a delete marker
  for (const RemoteVersion& v : versions) hidden.emplace(v.key, v.is_marker);
  std::vector<SiteUnit> units;
  for (const auto& [key, is_hidden] : hidden) {
    auto unit = unit_of_key(key);
    if (is_hidden && unit && now_ms && unit->locked_until_ms > *now_ms) units.push_back(std::move(*unit));
  }
  return units;
}

Result<void> unhide_unit(RemoteStore& site, const std::string& cluster, const std::string& backup, CopyProgress& progress, const std::stop_token& stop) {
  return Unhider(site, progress, stop).run(cluster, backup);
}

}  // namespace holdfast
