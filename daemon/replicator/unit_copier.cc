#include "daemon/replicator/unit_copier.h"

#include <algorithm>

#include "daemon/replicator/transfer_pool.h"

namespace holdfast {

namespace {

const std::string kRemoving = "holdfast/removing/";  // markers of units that are being removed: what is left of them is known
constexpr int64_t kRemovalGoesOnMs = 600'000;  // whoever began one that is younger may still be at it

std::string removing_key(const SiteUnit& unit) { return kRemoving + marker_key(unit).substr(marker_prefix("").size()); }

// Of each key the upload that began last.
Result<std::map<std::string, std::string>> unfinished_uploads(RemoteStore& site, const std::string& prefix) {
  HF_TRY(auto uploads, site.uploads(prefix));
  std::sort(uploads.begin(), uploads.end(), [](const RemoteUpload& a, const RemoteUpload& b) { return a.initiated_ms < b.initiated_ms; });
  std::map<std::string, std::string> by_key;
  for (const RemoteUpload& u : uploads) by_key[u.key] = u.id;
  return by_key;
}

class UnitCopier {
 public:
  UnitCopier(const CopySource& source, RemoteStore& site, const SiteUnit& unit, CopyLimits limits, CopyProgress& progress, const std::stop_token& stop)
      : source_(source), site_(site), unit_(unit), limits_(limits), progress_(progress), stop_(stop), site_prefix_("clusters/" + unit.cluster + "/"),
        document_("backups/" + unit.backup + "/velero-backup.json") {}

  Result<void> run() {
    HF_CHECK(finish_removal());
    HF_CHECK(nobody_else_has_it());
    HF_TRY(objects_, plan_copy(source_, unit_.backup));
    progress_.objects = objects_.size();
    for (const CopyObject& o : objects_) progress_.bytes += o.info.size_bytes;
    HF_CHECK(send_data());
    if (!document_is_there_) HF_CHECK(send({document()}, {}));
    return mark();
  }

 private:
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
    HF_TRY(const auto listed, list_all(site_, unit_prefix(unit_.cluster, unit_.backup)));
    std::map<std::string, RemoteObject> there;
    for (const RemoteObject& o : listed) there.emplace(o.key, o);
    const bool whole = std::all_of(objects_.begin(), objects_.end(), [&](const CopyObject& o) { return there.contains(site_prefix_ + o.name); });
    if (removals.empty() && whole) return {};
    HF_CHECK(site_.remove(marker_key(unit_)));
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
      markers_.push_back(o.key);
    }
    return {};
  }

  const CopyObject* document() const {
    return &*std::find_if(objects_.begin(), objects_.end(), [&](const CopyObject& o) { return o.name == document_; });
  }

  // What became visible in some other way is not to be seen while its data is on its way.
  Result<void> see_to_document(const std::map<std::string, RemoteObject>& there, bool whole) {
    const std::string key = site_prefix_ + document_;
    document_is_there_ = is_among(*document(), there) && (whole || !markers_.empty());
    return document_is_there_ || !there.contains(key) ? Result<void>() : site_.remove(key);
  }

  Result<void> send(const std::vector<const CopyObject*>& objects, std::map<std::string, std::string> unfinished) {
    TransferPool pool(source_, site_, site_prefix_, std::move(unfinished), limits_, progress_, stop_);
    HF_CHECK(pool.send(objects));
    for (const auto& [name, etag] : pool.sent()) sent_[name] = etag;
    return {};
  }

  // What was sent in this run has been compared, and is there under the ETag that it was taken with; an older one of the same
  // size is not it.
  bool is_there(const CopyObject& object, const RemoteObject& there) const {
    if (there.size_bytes != object.info.size_bytes) return false;
    if (const auto sent = sent_.find(object.name); sent != sent_.end()) return there.etag == sent->second;
    return object.same_pieces && there.etag == object.info.etag;
  }
  bool is_among(const CopyObject& object, const std::map<std::string, RemoteObject>& there) const {
    const auto found = there.find(site_prefix_ + object.name);
    return found != there.end() && is_there(object, found->second);
  }

  // Twice at most: a site may say that it has something, and lose it.
  Result<void> send_data() {
    for (int round = 0;; ++round) {
      HF_TRY(const auto listed, list_all(site_, unit_prefix(unit_.cluster, unit_.backup)));
      std::map<std::string, RemoteObject> there;
      for (const RemoteObject& o : listed) there.emplace(o.key, o);
      std::vector<const CopyObject*> missing;
      bool large = false;
      for (const CopyObject& o : objects_) {
        if (o.name == document_) continue;
        if (is_among(o, there)) {
          if (round == 0) {
            ++progress_.objects_done;
            progress_.bytes_done += o.info.size_bytes;
          }
          continue;
        }
        missing.push_back(&o);
        large = large || o.pieces.front().number != 0;
      }
      if (round == 0) HF_CHECK(see_to_document(there, missing.empty()));
      if (missing.empty()) return {};
      if (round == 2) return error(Code::kCorrupt, site_.place().url + "/" + site_.place().bucket + " loses what it accepts: " + missing.front()->name + " is not there");
      std::map<std::string, std::string> unfinished;
      if (large) {
        HF_TRY(unfinished, unfinished_uploads(site_, unit_prefix(unit_.cluster, unit_.backup)));
      }
      HF_CHECK(send(missing, std::move(unfinished)));
    }
  }

  Result<void> mark() {
    HF_TRY(const RemoteObject there, site_.head(site_prefix_ + document_));
    if (!is_there(*document(), there)) return error(Code::kCorrupt, site_.place().url + "/" + site_.place().bucket + " loses what it accepts: another " + document_ + " is there");
    HF_CHECK(nobody_else_has_it());
    std::vector<UnitObject> objects;
    for (const CopyObject& o : objects_) {
      objects.push_back({o.name, o.info.size_bytes, o.info.etag, o.info.checksum, {}});
      for (const PartInfo& p : o.info.parts) objects.back().part_bytes.push_back(p.size_bytes);
    }
    RemotePut put{.key = marker_key(unit_), .content_type = "application/json"};
    put.tags = {{"holdfast-backup", unit_.backup.substr(0, 256)}, {"holdfast-source", unit_.source}};
    const std::string body = marker_body(unit_, objects);
    auto marked = site_.put(put, body);
    if (!marked && (marked.error().code() == Code::kUnimplemented || marked.error().code() == Code::kInvalidArgument)) {
      put.tags.clear();  // it knows none
      marked = site_.put(put, body);
    }
    if (!marked) return std::unexpected(marked.error());
    const auto there_now = site_.get(put.key, kMaxMarkerBytes);
    if (!there_now && there_now.error().code() == Code::kNotFound) HF_CHECK(see_that_it_stays());
    if (!there_now) return std::unexpected(there_now.error());
    if (*there_now != body) {
      (void)site_.remove(put.key);
      return error(Code::kCorrupt, site_.place().url + "/" + site_.place().bucket + "/" + put.key + " has other bytes than were sent");
    }
    HF_CHECK(see_that_it_stays());
    for (const std::string& older : markers_) {
      if (older != put.key) HF_CHECK(site_.remove(older));
    }
    return {};
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
  std::map<std::string, std::string> sent_;  // ETags of what was sent in this run, by name
  bool document_is_there_ = false;
};

}  // namespace

Result<void> copy_unit(const CopySource& source, RemoteStore& site, const SiteUnit& unit, CopyLimits limits, CopyProgress& progress, const std::stop_token& stop) {
  return UnitCopier(source, site, unit, limits, progress, stop).run();
}

Result<void> remove_unit(RemoteStore& site, const SiteUnit& unit) {
  const std::string removing = removing_key(unit), marker = marker_key(unit), prefix = "clusters/" + unit.cluster + "/";
  auto body = site.get(marker, kMaxMarkerBytes);
  if (!body && body.error().code() == Code::kNotFound) body = site.get(removing, kMaxMarkerBytes);  // it was begun before
  if (!body) return std::unexpected(body.error());
  HF_TRY(const auto objects, objects_of_marker(*body));
  HF_CHECK(site.put({.key = removing, .content_type = "application/json"}, *body));
  HF_CHECK(site.remove(marker));
  const std::string document = "backups/" + unit.backup + "/velero-backup.json";
  HF_CHECK(site.remove(prefix + document));
  for (const UnitObject& o : objects) {
    // A marker that somebody else wrote must not lead anywhere else.
    if (o.key == document || !(prefix + o.key).starts_with(unit_prefix(unit.cluster, unit.backup))) continue;
    HF_CHECK(site.remove(prefix + o.key));
  }
  return site.remove(removing);
}

}  // namespace holdfast
