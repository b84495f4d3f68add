#include <algorithm>
#include <set>

#include "k8s/bucket/directory.h"
#include "k8s/velero/location_controller.h"
#include "storage/base/log.h"
#include "storage/base/times.h"

namespace holdfast::k8s {

namespace {

// A schedule that is not there, or another of its name, would have the new object collected as garbage.
json::array owners_there(const json::object& metadata, const Objects& objects) {
  json::array kept;
  for (const json::value& v : array_at(metadata, "ownerReferences")) {
    if (!v.is_object() || view_at(v.get_object(), "kind") != "Schedule") continue;
    const ObjectRef schedule = objects.find(Kind::kSchedule, text_at(v.get_object(), "name"));
    if (schedule && view_at(metadata_of(*schedule), "uid") == view_at(v.get_object(), "uid")) kept.push_back(v);
  }
  return kept;
}

// The object of a restore point as it may stand in this cluster; empty: it is none that has come to its end.
json::object synced_object(const json::object& stored, const Location& location, const ServerContext& c) {
  const std::string phase = phase_of(stored);
  if (phase != "Completed" && phase != "PartiallyFailed" && phase != "Failed") return {};
  const json::object& was = metadata_of(stored);
  json::object labels = object_at(was, "labels");
  labels[kLocationLabel] = label_value(location.name);
  json::object metadata{{"name", view_at(was, "name")}, {"namespace", c.name_space()}, {"labels", std::move(labels)}, {"annotations", object_at(was, "annotations")}};
  if (json::array owners = owners_there(was, c.objects); !owners.empty()) metadata["ownerReferences"] = std::move(owners);
  json::object spec = object_at(stored, "spec");
  spec["storageLocation"] = location.name;
  spec["hooks"] = json::object();  // they were run, and are nothing to run here
  return {{"apiVersion", "velero.io/v1"}, {"kind", "Backup"}, {"metadata", std::move(metadata)}, {"spec", std::move(spec)}, {"status", object_at(stored, "status")}};
}

}  // namespace

Result<void> BackupSync::add_one(const Location& location, const std::string& name) const {
  const auto document = restore_point_document(location.place, name);
  if (!document && document.error().code() == Code::kNotFound) return {};  // no restore point yet, or none any more
  if (!document) return std::unexpected(document.error());
  auto stored = parse_object(*document);
  if (!stored || view_at(metadata_of(*stored), "name") != name) {
    spdlog::warn("restore point {} in {}: its velero-backup.json is not one", name, location.place.prefix);
    return {};
  }
  const json::object object = synced_object(*stored, location, c_);
  if (object.empty()) return {};
  auto made = c_.objects.create(Kind::kBackup, object);
  if (made || made.error().code() == Code::kAlreadyExists) return {};
  if (made.error().code() != Code::kInvalidArgument) return made;
  spdlog::warn("restore point {} gets no Backup object: {}", name, made.error().message());
  return {};
}

Result<void> BackupSync::add_missing(const Location& location, const std::vector<std::string>& stored) const {
  for (const std::string& name : stored) {
    if (!c_.objects.find(Kind::kBackup, name)) HF_CHECK(add_one(location, name));
  }
  return {};
}

Result<void> BackupSync::remove_orphans(const Location& location, const std::vector<std::string>& stored) const {
  const std::set<std::string> there(stored.begin(), stored.end());
  for (const ObjectRef& backup : c_.objects.all(Kind::kBackup)) {
    const std::string phase = phase_of(*backup), name = name_of(*backup);
    const bool ended = phase == "Completed" || phase == "PartiallyFailed";
    const bool here = view_at(object_at(metadata_of(*backup), "labels"), kLocationLabel) == label_value(location.name);
    if (!ended || !here || there.contains(name) || is_being_deleted(*backup)) continue;
    // It may have come since the listing.
    const auto document = restore_point_document(location.place, name);
    if (document || document.error().code() != Code::kNotFound) continue;
    spdlog::info("Backup object {} goes: its restore point is not in {} any more", name, location.place.prefix);
    HF_CHECK(c_.objects.remove(Kind::kBackup, name));
  }
  return {};
}

Result<void> BackupSync::look_for_others(const Location& location, const std::vector<std::string>& stored) {
  return others_.look(stored, ownership_.term(), [&](const std::string& name) -> Result<std::optional<std::string>> {
    const auto document = restore_point_document(location.place, name);
    if (!document && document.error().code() == Code::kNotFound) return std::nullopt;
    if (!document) return std::unexpected(document.error());
    const std::string server = text_at(object_at(metadata_of(object_or_empty(*document)), "annotations"), kServerAnnotation);
    if (server == c_.options.appliance_id) return "";
    return server.empty() ? "a server that is not Holdfast" : server;
  });
}

Result<LookAgain> BackupSync::reconcile(const std::string& name) {
  const ObjectRef object = c_.objects.find(Kind::kLocation, name);
  if (!object || is_being_deleted(*object) || !is_available(*object)) return std::nullopt;
  if (!until_sync(*object, 0)) return std::nullopt;
  const auto location = locations_.find(name);
  if (!location) return std::nullopt;  // its controller says so
  // Only a whole listing says that something is gone.
  HF_TRY(const std::vector<std::string> stored, directories(location->place, "backups/"));
  if (is_own(location->place, c_)) HF_CHECK(look_for_others(*location, stored));
  HF_CHECK(add_missing(*location, stored));
  HF_CHECK(remove_orphans(*location, stored));
  const int64_t now_ms = c_.clock().wall_ms();
  HF_TRY(const ObjectRef synced, c_.objects.patch(Kind::kLocation, name, {{"status", json::object{{"lastSyncedTime", rfc3339(now_ms)}}}}));
  return until_sync(*synced, now_ms);
}

}  // namespace holdfast::k8s
