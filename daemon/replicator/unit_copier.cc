#include "daemon/replicator/unit_copier.h"

#include <algorithm>

#include "daemon/replicator/object_sender.h"
#include "daemon/replicator/repository_copier.h"
#include "daemon/replicator/unit_lock.h"
#include "k8s/point_repositories.h"
#include "storage/base/digest.h"
#include "storage/base/times.h"

namespace holdfast {

namespace {

const std::string kRemoving = "holdfast/removing/";  // markers of units that are being removed: what is left of them is known

std::string removing_key(const SiteUnit& unit) { return kRemoving + marker_key(unit).substr(marker_prefix("").size()); }

class UnitCopier {
 public:
  UnitCopier(const CopySource& source, RemoteStore& site, const SiteUnit& unit, CopyLimits limits, CopyProgress& progress, const std::stop_token& stop)
      : source_(source), site_(site), unit_(unit), limits_(limits), progress_(progress), stop_(stop), site_prefix_("clusters/" + unit.cluster + "/"),
        document_("backups/" + unit.backup + "/velero-backup.json"), sender_(source, site, site_prefix_, limits, progress, stop) {}

  Result<void> run() {
    HF_CHECK(can_be_locked());
    HF_CHECK(finish_removal());
    HF_CHECK(nobody_else_has_it());
    HF_TRY(objects_, plan_copy(source_, unit_.backup));
    progress_.objects = objects_.size();
    for (const CopyObject& o : objects_) progress_.bytes += o.info.size_bytes;
    HF_TRY(const auto repositories, k8s::repositories_of({source_.store, source_.bucket, source_.prefix}, unit_.backup));
    HF_CHECK(send_data());
    for (const std::string& name : repositories) {
      HF_TRY(repositories_.emplace_back(), copy_repository(source_, site_, unit_, name, limits_, progress_, stop_));
    }
    if (!document_is_there_) HF_CHECK(sender_.send({document()}));
    return mark();
  }

 private:
  Result<void> can_be_locked() {
    if (unit_.locked_until_ms == 0) return {};
    HF_TRY(const bool can, site_.object_lock());
    if (can) return {};
    return error(Code::kFailedPrecondition, "its policy wants it locked there, and bucket " + site_.place().bucket + " has no Object Lock");
  }

  // Of an earlier unit of that name, which would otherwise take parts of this one with it.
  Result<void> finish_removal() {
    HF_TRY(const auto left, list_all(site_, kRemoving + unit_.cluster + "/" + unit_.backup + ","));
    for (const RemoteObject& o : left) {
      const auto unit = unit_of_key(marker_prefix("") + o.key.substr(kRemoving.size()));
      if (!unit) continue;
      if (const auto now_ms = site_.now_ms(); now_ms && *now_ms - o.modified_ms < kRemovalGoesOnMs) return is_being_removed();
      HF_CHECK(remove_unit(site_, *unit));
    }
    return {};
  }

  std::unexpected<Status> is_being_removed() const {
    return error(Code::kUnavailable, "an earlier copy of backup \"" + unit_.backup + "\" is being removed there");
  }

  // Somebody who took over may have begun to prune what this copy found there. A removal has its record there from before it
  // takes the marker until all is gone: what began before our marker is seen by its record, or by what is missing; what begins
  // later takes the marker first.
  Result<void> see_that_it_stays() {
    HF_TRY(const auto removals, list_all(site_, kRemoving + unit_.cluster + "/" + unit_.backup + ","));
    HF_TRY(const auto there, list_by_key(site_, unit_prefix(unit_.cluster, unit_.backup)));
    bool whole = std::all_of(objects_.begin(), objects_.end(), [&](const CopyObject& o) { return there.contains(site_prefix_ + o.name); });
    for (size_t i = 0; whole && i < repositories_.size(); ++i) {
      HF_TRY(whole, repository_stays(site_, unit_, repositories_[i]));
    }
    if (removals.empty() && whole) return {};
    HF_CHECK(site_.remove(marker_key(unlocked())));
    HF_CHECK(site_.remove(site_prefix_ + document_));
    return is_being_removed();
  }

  Result<void> nobody_else_has_it() {
    HF_TRY(const auto markers, list_all(site_, marker_prefix(unit_.cluster) + unit_.backup + ","));
    markers_.clear();
    for (const RemoteObject& o : markers) {
      const auto there = unit_of_key(o.key);
      if (!there) continue;
      if (there->source != unit_.source) return error(Code::kAlreadyExists, "appliance " + there->source + " has copied a backup \"" + unit_.backup + "\" of a cluster \"" + unit_.cluster + "\" there");
      if (const auto now_ms = site_.now_ms(); there->started_ms != unit_.started_ms && there->locked_until_ms > now_ms.value_or(0)) {
        return error(Code::kAlreadyExists, "another backup \"" + unit_.backup + "\" of cluster \"" + unit_.cluster + "\" is there, locked until " + rfc3339(there->locked_until_ms));
      }
      markers_.push_back(o.key);
    }
    return {};
  }

  const CopyObject* document() const {
    return &*std::find_if(objects_.begin(), objects_.end(), [&](const CopyObject& o) { return o.name == document_; });
  }

  // What became visible in some other way is not to be seen while its data is on its way.
  Result<void> see_to_document(const ObjectSender::There& there, bool whole) {
    const std::string key = site_prefix_ + document_;
    document_is_there_ = sender_.is_among(*document(), there) && (whole || !markers_.empty());
    return document_is_there_ || !there.contains(key) ? Result<void>() : site_.remove(key);
  }

  Result<void> send_data() {
    std::vector<const CopyObject*> data;
    for (const CopyObject& o : objects_) {
      if (o.name != document_) data.push_back(&o);
    }
    return sender_.send_missing(data, unit_prefix(unit_.cluster, unit_.backup), [this](const ObjectSender::There& there, bool whole) { return see_to_document(there, whole); });
  }

  Result<void> mark() {
    HF_TRY(const RemoteObject there, site_.head(site_prefix_ + document_));
    if (!sender_.is_there(*document(), there)) return error(Code::kCorrupt, site_.place().url + "/" + site_.place().bucket + " loses what it accepts: another " + document_ + " is there");
    HF_CHECK(nobody_else_has_it());
    UnitContents contents{{}, repositories_};
    for (const CopyObject& o : objects_) {
      contents.objects.push_back({o.name, o.info.size_bytes, o.info.etag, o.info.checksum, {}});
      for (const PartInfo& p : o.info.parts) contents.objects.back().part_bytes.push_back(p.size_bytes);
    }
    // What is locked cannot be taken back: so it is locked when it is seen to stay.
    HF_CHECK(write_marker(unlocked(), contents));
    HF_CHECK(see_that_it_stays());
    if (unit_.locked_until_ms != 0) {
      HF_CHECK(lock_unit(site_, unit_, contents, limits_, stop_));
      HF_CHECK(write_marker(unit_, contents));
      markers_.push_back(marker_key(unlocked()));
    }
    for (const std::string& older : markers_) {
      if (older == marker_key(unit_)) continue;
      const auto gone = site_.remove(older);
      if (!gone && !gone.error().is(Code::kPermissionDenied, Subject::kLock)) return gone;
    }
    for (const RepositoryRef& r : repositories_) HF_CHECK(end_repository_copy(site_, unit_, r));
    return {};
  }

  SiteUnit unlocked() const {
    SiteUnit unit = unit_;
    unit.locked_until_ms = 0;
    return unit;
  }

  Result<void> write_marker(const SiteUnit& unit, const UnitContents& contents) {
    RemotePut put{.key = marker_key(unit), .content_type = "application/json"};
    put.tags = {{"holdfast-backup", unit_.backup.substr(0, 256)}, {"holdfast-source", unit_.source}};
    const std::string body = marker_body(unit, contents);
    if (unit.locked_until_ms != 0) {
      put.locked_until_ms = unit.locked_until_ms;
      put.md5 = hex(as_bytes(Digest::of(DigestKind::kMd5, as_bytes(body))));
    }
    auto marked = site_.put(put, body);
    if (!marked && (marked.error().code() == Code::kUnimplemented || marked.error().code() == Code::kInvalidArgument)) {
      put.tags.clear();  // it knows none
      marked = site_.put(put, body);
    }
    if (!marked) return std::unexpected(marked.error());
    const auto there_now = site_.get(put.key, kMaxMarkerBytes);
    if (!there_now && there_now.error().code() == Code::kNotFound) HF_CHECK(see_that_it_stays());
    if (!there_now) return std::unexpected(there_now.error());
    if (*there_now == body) return {};
    (void)site_.remove(put.key);
    return error(Code::kCorrupt, site_.place().url + "/" + site_.place().bucket + "/" + put.key + " has other bytes than were sent");
  }

  const CopySource& source_;
  RemoteStore& site_;
  const SiteUnit& unit_;
  const CopyLimits limits_;
  CopyProgress& progress_;
  const std::stop_token& stop_;
  const std::string site_prefix_, document_;
  std::vector<CopyObject> objects_;
  std::vector<std::string> markers_;  // ours, of this backup
  std::vector<RepositoryRef> repositories_;
  ObjectSender sender_;
  bool document_is_there_ = false;
};

// Every marker of it; there may be several, where what it says of its end has changed. kPermissionDenied: it is locked.
Result<std::vector<std::string>> unlocked_markers(RemoteStore& site, const SiteUnit& unit) {
  HF_TRY(const auto listed, list_all(site, marker_prefix(unit.cluster) + unit.backup + ","));
  const auto document = site.head(unit_prefix(unit.cluster, unit.backup) + "velero-backup.json");
  if (!document && document.error().code() != Code::kNotFound) return std::unexpected(document.error());
  int64_t locked_until_ms = std::max(unit.locked_until_ms, document ? document->locked_until_ms : 0);
  std::vector<std::string> markers;
  for (const RemoteObject& o : listed) {
    const auto there = unit_of_key(o.key);
    if (!there || there->source != unit.source || there->started_ms != unit.started_ms) continue;
    markers.push_back(o.key);
    locked_until_ms = std::max(locked_until_ms, there->locked_until_ms);
  }
  if (locked_until_ms <= site.now_ms().value_or(0)) return markers;
  return error(Code::kPermissionDenied, Subject::kLock, "the copy of backup \"" + unit.backup + "\" is locked until " + rfc3339(locked_until_ms));
}

}  // namespace

Result<void> copy_unit(const CopySource& source, RemoteStore& site, const SiteUnit& unit, CopyLimits limits, CopyProgress& progress, const std::stop_token& stop) {
  return UnitCopier(source, site, unit, limits, progress, stop).run();
}

Result<void> remove_unit(RemoteStore& site, const SiteUnit& unit) {
  const std::string removing = removing_key(unit), marker = marker_key(unit), prefix = "clusters/" + unit.cluster + "/";
  HF_TRY(const auto markers, unlocked_markers(site, unit));
  auto body = site.get(marker, kMaxMarkerBytes);
  if (!body && body.error().code() == Code::kNotFound) body = site.get(removing, kMaxMarkerBytes);  // it was begun before
  if (!body) return std::unexpected(body.error());
  HF_TRY(const UnitContents contents, contents_of_marker(*body));
  HF_CHECK(site.put({.key = removing, .content_type = "application/json"}, *body));
  HF_CHECK(site.remove(marker));
  for (const std::string& other : markers) {
    if (other != marker) HF_CHECK(site.remove(other));
  }
  const std::string document = "backups/" + unit.backup + "/velero-backup.json";
  HF_CHECK(site.remove(prefix + document));
  for (const UnitObject& o : contents.objects) {
    // A marker that somebody else wrote must not lead anywhere else.
    if (o.key == document || !(prefix + o.key).starts_with(unit_prefix(unit.cluster, unit.backup))) continue;
    HF_CHECK(site.remove(prefix + o.key));
  }
  for (const RepositoryRef& r : contents.repositories) HF_CHECK(retire_lists(site, RepositoryPlace(unit.cluster, r.name), unit));
  return site.remove(removing);
}

}  // namespace holdfast
