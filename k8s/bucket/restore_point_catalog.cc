#include "k8s/restore_point_catalog.h"

#include "k8s/bucket/directory.h"

namespace holdfast::k8s {

Result<std::map<std::string, RestorePointCatalog::Versions>> RestorePointCatalog::versions_there(const BackupPlace& place) {
  std::map<std::string, Versions> there;
  ListQuery query;
  query.prefix = place.prefix + "backups/";
  for (;;) {
    HF_TRY(const ListPage page, place.store->list(place.bucket, query));
    for (const ObjectInfo& o : page.entries) {
      const std::string_view path = std::string_view(o.key).substr(query.prefix.size());
      const size_t slash = path.find('/');
      if (slash == std::string_view::npos) continue;
      const std::string_view file = path.substr(slash + 1);
      if (file == kRestorePointDocument) there[std::string(path.substr(0, slash))].document = o.seq;
      if (file == kEvidenceFile) there[std::string(path.substr(0, slash))].evidence = o.seq;
    }
    if (!page.truncated) return there;
    query.after_key = page.next_key;
  }
}

Result<std::vector<RestorePoint>> RestorePointCatalog::list(const BackupPlace& place) {
  std::shared_ptr<Place> remembered;
  {
    std::lock_guard lock(mutex_);
    auto& entry = places_[{place.bucket, place.prefix}];
    if (!entry) entry = std::make_shared<Place>();
    remembered = entry;
  }
  std::lock_guard lock(remembered->mutex);
  HF_TRY(const auto there, versions_there(place));
  std::map<std::string, Known> now;
  std::vector<RestorePoint> points;
  for (const auto& [name, versions] : there) {
    if (versions.document == 0) continue;
    const auto before = remembered->known.find(name);
    Known known;
    if (before != remembered->known.end() && before->second.versions == versions) {
      known = before->second;
    } else {
      // It may be a newer version by now: then the next call reads it again.
      HF_TRY(known.point, find_restore_point(place, name));
      known.versions = versions;
    }
    if (known.point) points.push_back(*known.point);
    now.emplace_hint(now.end(), name, std::move(known));
  }
  remembered->known = std::move(now);
  return points;
}

void RestorePointCatalog::forget(const BackupPlace& place) {
  std::lock_guard lock(mutex_);
  places_.erase({place.bucket, place.prefix});
}

void RestorePointCatalog::forget(const BackupPlace& place, const std::string& name) {
  std::shared_ptr<Place> remembered;
  {
    std::lock_guard lock(mutex_);
    const auto found = places_.find({place.bucket, place.prefix});
    if (found == places_.end()) return;
    remembered = found->second;
  }
  std::lock_guard lock(remembered->mutex);
  remembered->known.erase(name);
}

}  // namespace holdfast::k8s
