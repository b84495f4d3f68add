#include "daemon/replicator/repository_sweep.h"

#include <algorithm>
#include <set>

#include "daemon/replicator/live_repository.h"
#include "storage/base/log.h"
#include "storage/base/text.h"

namespace holdfast {

namespace {

class RepositorySweep {
 public:
  RepositorySweep(RemoteStore& site, const RepositoryPlace& place, const std::set<std::string>& points, const std::stop_token& stop) : site_(site), place_(place), points_(points), stop_(stop) {}

  Result<void> run() {
    HF_TRY(const bool swept, is_being_swept(site_, place_));
    if (swept) return error(Code::kUnavailable, "another appliance may be removing blobs of repository " + place_.repository());
    // Before the lists are read: a copy that begins behind it is seen by its list, one that began before it sees this.
    HF_CHECK(site_.put({.key = place_.sweeping_key(), .content_type = "text/plain"}, "1"));
    const auto done = work();
    HF_CHECK(site_.remove(place_.sweeping_key()));
    return done;
  }

 private:
  Result<void> work() {
    HF_CHECK(retire());
    HF_CHECK(see_to_live());
    HF_CHECK(remove_overwritten());
    HF_TRY(removed_, list_all(site_, place_.removed_prefix()));
    if (removed_.empty()) return {};
    HF_CHECK(find_unneeded());
    HF_TRY(const bool all_gone, remove_unneeded());
    if (!all_gone) return {};
    for (const RemoteObject& o : removed_) HF_CHECK(site_.remove(o.key));
    return {};
  }

  bool is_forgotten(const RemoteObject& o) const {
    const auto now_ms = site_.now_ms();
    return now_ms && *now_ms - o.modified_ms > kForgottenCopyMs;
  }

  // Lists of what is no restore point: such that were begun and never ended.
  Result<void> retire() {
    HF_TRY(const auto begun, list_all(site_, place_.begun_prefix()));
    for (const RemoteObject& o : begun) {
      if (is_forgotten(o)) HF_CHECK(retire_list(site_, place_, o.key));
      else needed_.push_back(o.key);
    }
    HF_TRY(const auto lists, list_all(site_, place_.list_prefix("")));
    for (const RemoteObject& o : lists) {
      const auto words = split_text(std::string_view(o.key).substr(place_.list_prefix("").size()), ',');
      const bool is_point = words.size() == 3 && points_.contains(std::string(words[0]) + "," + std::string(words[1]));
      if (!is_point && is_forgotten(o)) {
        const auto retired = retire_list(site_, place_, o.key);
        if (retired) continue;
        if (!retired.error().is(Code::kPermissionDenied, Subject::kLock)) return retired;
      }
      needed_.push_back(o.key);
      if (is_point) kept_.push_back(o.key);
    }
    return {};
  }

  Result<void> see_to_live() {
    HF_TRY(const std::string live, live_list(site_, place_));
    if (std::find(needed_.begin(), needed_.end(), live) != needed_.end()) return {};
    const auto newest = std::max_element(kept_.begin(), kept_.end(), [](const std::string& a, const std::string& b) { return point_of_list(a)->started_ms < point_of_list(b)->started_ms; });
    if (newest == kept_.end()) return clear_live(site_, place_);
    HF_TRY(const std::string body, site_.get(*newest, kMaxListBytes));
    HF_TRY(const RepositoryList list, parse_list(body));
    return lay_live(site_, place_, list, *newest, "");
  }

  // Older versions of what lay_live() writes anew each time, where the bucket keeps them.
  Result<void> remove_overwritten() {
    if (!site_.object_lock().value_or(false)) return {};
    for (const std::string& prefix : {place_.live_key(), place_.unit_prefix() + place_.repository() + "/kopia."}) {
      HF_TRY(const auto versions, site_.versions(prefix));
      for (const RemoteVersion& v : versions) {
        if (v.is_latest || stop_.stop_requested()) continue;
        const auto gone = site_.remove_version(v.key, v.id);
        if (!gone && !gone.error().is(Code::kPermissionDenied, Subject::kLock)) return gone;
      }
    }
    return {};
  }

  Result<void> find_unneeded() {
    for (const RemoteObject& o : removed_) {
      HF_TRY(const RepositoryList list, read(o.key));
      for (const auto* blobs : {&list.packs, &list.indexes}) {
        for (const UnitObject& blob : *blobs) unneeded_.insert(place_.key_of(blob));
      }
    }
    for (const std::string& key : needed_) {
      HF_TRY(const RepositoryList list, read(key));
      for (const auto* blobs : {&list.packs, &list.indexes}) {
        for (const UnitObject& blob : *blobs) unneeded_.erase(place_.key_of(blob));
      }
    }
    return {};
  }

  // A list that cannot be read may name anything: then nothing is removed.
  Result<RepositoryList> read(const std::string& key) {
    HF_TRY(const std::string body, site_.get(key, kMaxListBytes));
    auto list = parse_list(body);
    if (list && list->repository != place_.repository()) return error(Code::kCorrupt, key + " at the site is of another repository");
    if (!list) return std::unexpected(list.error().with_context(key));
    return list;
  }

  // Gives whether none of them is left.
  Result<bool> remove_unneeded() {
    uint64_t removed = 0, bytes = 0;
    bool all = true;
    for (const std::string& prefix : {place_.unit_prefix(), place_.index_prefix()}) {
      HF_TRY(const auto there, list_all(site_, prefix + place_.repository() + "/"));
      for (const RemoteObject& o : there) {
        if (!unneeded_.contains(o.key)) continue;
        const auto now_ms = site_.now_ms();
        if (stop_.stop_requested() || !now_ms || *now_ms - o.modified_ms < kYoungBlobMs) {
          all = false;
          continue;
        }
        const auto gone = site_.remove(o.key);
        if (!gone && gone.error().is(Code::kPermissionDenied, Subject::kLock)) {
          all = false;  // for a copy that was never ended
          continue;
        }
        HF_CHECK(gone);
        ++removed;
        bytes += o.size_bytes;
      }
    }
    if (removed > 0) spdlog::info("repository {} of cluster {}: {} blobs, {} bytes, that no copy needs are removed", place_.repository(), place_.cluster(), removed, bytes);
    return all;
  }

  RemoteStore& site_;
  const RepositoryPlace& place_;
  const std::set<std::string>& points_;  // BACKUP,START of every marker
  const std::stop_token& stop_;
  std::vector<std::string> needed_, kept_;  // keys of lists; kept_: of restore points
  std::vector<RemoteObject> removed_;
  std::set<std::string> unneeded_;
};

}  // namespace

Result<bool> is_being_swept(RemoteStore& site, const RepositoryPlace& place) {
  const auto there = site.head(place.sweeping_key());
  if (!there && there.error().code() == Code::kNotFound) return false;
  if (!there) return std::unexpected(there.error());
  const auto now_ms = site.now_ms();
  if (!now_ms || *now_ms - there->modified_ms < kRemovalGoesOnMs) return true;
  HF_CHECK(site.remove(place.sweeping_key()));
  return false;
}

namespace {

// What was cut off, and is asked for no more: it takes space, and no listing shows it.
Result<void> abort_forgotten_uploads(RemoteStore& site, const std::string& cluster) {
  HF_TRY(const auto uploads, site.uploads("clusters/" + cluster + "/"));
  for (const RemoteUpload& u : uploads) {
    const auto now_ms = site.now_ms();
    if (now_ms && *now_ms - u.initiated_ms > kForgottenCopyMs) HF_CHECK(site.abort_upload(u.key, u.id));
  }
  return {};
}

}  // namespace

Result<void> sweep_repositories(RemoteStore& site, const std::string& cluster, const std::stop_token& stop) {
  HF_CHECK(abort_forgotten_uploads(site, cluster));
  std::set<std::string> repositories;
  // lists/kopia/NS/..., live/kopia/NS; indexes, of which there are many, do not ask for anything
  for (const char* kind : {"begun/", "lists/", "live/", "removed/"}) {
    const std::string prefix = RepositoryPlace::root(cluster) + kind;
    HF_TRY(const auto listed, list_all(site, prefix));
    for (const RemoteObject& o : listed) {
      const auto path = split_text(std::string_view(o.key).substr(prefix.size()), '/');
      std::string name = path.size() < 2 ? "" : std::string(path[0]) + "/" + std::string(path[1]);
      if (is_repository(name)) repositories.insert(std::move(name));
    }
  }
  if (repositories.empty()) return {};
  HF_TRY(const auto units, list_units(site, cluster));
  std::set<std::string> points;
  for (const SiteUnit& u : units) points.insert(RepositoryPlace::stem(u));
  for (const std::string& repository : repositories) {
    if (stop.stop_requested()) return {};
    HF_CHECK(RepositorySweep(site, RepositoryPlace(cluster, repository), points, stop).run());
  }
  return {};
}

}  // namespace holdfast
