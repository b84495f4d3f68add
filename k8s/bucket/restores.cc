// Records of restores in their bucket.
#include "k8s/bucket/directory.h"
#include "k8s/bucket/gunzip_stream.h"
#include "k8s/bucket/object_stream.h"
#include "k8s/client/json_access.h"
#include "k8s/restore_engine.h"
#include "storage/base/names.h"
#include "storage/base/times.h"

namespace holdfast::k8s {

namespace {

constexpr uint64_t kMaxDocumentBytes = 4 << 20;
constexpr uint64_t kMaxLogBytes = 64 << 20;

RestoreRecord record_of(const std::string& name, const json::object& document) {
  const json::object& status = object_at(document, "status");
  const json::object& progress = object_at(status, "progress");
  return {name, text_at(object_at(document, "spec"), "backupName"), text_at(status, "phase"), text_at(status, "startTimestamp"),
          text_at(status, "completionTimestamp"), text_at(status, "failureReason"), count_at(progress, "itemsRestored"),
          count_at(progress, "totalItems"), count_at(status, "warnings"), count_at(status, "errors")};
}

}  // namespace

std::string restore_key(const BackupPlace& place, const std::string& name, const std::string& file) {
  return place.prefix + "restores/" + name + "/" + file;
}

Result<std::string> restore_document(const BackupPlace& place, const std::string& name) {
  auto text = get_object(*place.store, place.bucket, restore_key(place, name, kRestoreDocument), kMaxDocumentBytes);
  if (!text && text.error().code() == Code::kNotFound) return error(Code::kNotFound, "there is no restore \"" + name + "\"");
  return text;
}

Result<std::string> restore_log(const BackupPlace& place, const std::string& name) {
  HF_CHECK(restore_document(place, name));
  HF_TRY(const std::string packed, get_object(*place.store, place.bucket, restore_key(place, name, "restore-" + name + "-logs.gz"), kMaxLogBytes));
  return gunzip(packed, kMaxLogBytes);
}

Result<std::optional<RestoreRecord>> find_restore(const BackupPlace& place, const std::string& name) {
  const auto text = restore_document(place, name);
  if (!text && text.error().code() != Code::kNotFound) return std::unexpected(text.error());
  if (!text) return std::nullopt;
  return record_of(name, object_or_empty(*text));
}

Result<void> check_restore_name(const BackupPlace& place, const std::string& name) {
  if (!is_dns_subdomain(name)) {
    return error(Code::kInvalidArgument, "\"" + name + "\" is no name of a restore: lower case letters, digits, '-' and '.', 253 at most");
  }
  HF_TRY(const auto record, find_restore(place, name));
  const bool came_to_nothing = record && record->phase.starts_with("Failed") && record->items == 0;
  if (!record || came_to_nothing) return {};
  return error(Code::kAlreadyExists, "there is a restore \"" + name + "\" already");
}

Result<std::vector<RestoreRecord>> list_restores(const BackupPlace& place) {
  std::vector<RestoreRecord> out;
  HF_TRY(const auto names, directories(place, "restores/"));
  for (const std::string& name : names) {
    HF_TRY(auto record, find_restore(place, name));
    if (record) out.push_back(std::move(*record));
  }
  return out;
}

Result<void> delete_restore(const BackupPlace& place, const std::string& name) {
  HF_CHECK(restore_document(place, name));
  return delete_restore_records(place, name);
}

Result<void> delete_restore_records(const BackupPlace& place, const std::string& name) {
  HF_CHECK(remove_object(place, restore_key(place, name, kRestoreDocument)));
  return remove_directory(place, restore_key(place, name, ""));
}

Result<void> record_broken_restore(const BackupPlace& place, const std::string& name, const std::string& reason, Clock& clock) {
  const auto text = restore_document(place, name);
  if (!text && text.error().code() != Code::kNotFound) return std::unexpected(text.error());
  json::object document = text ? object_or_empty(*text) : json::object{{"apiVersion", "velero.io/v1"}, {"kind", "Restore"}, {"metadata", json::object{{"name", name}}}};
  json::object status = object_at(document, "status");
  const std::string phase = text_at(status, "phase");
  if (!phase.empty() && phase != "InProgress") return {};  // it had come to its end
  status["phase"] = "Failed";
  status["failureReason"] = reason;
  status["completionTimestamp"] = rfc3339(clock.wall_ms());
  document["status"] = std::move(status);
  return put_object(*place.store, place.bucket, restore_key(place, name, kRestoreDocument), json::serialize(document), "application/json");
}

}  // namespace holdfast::k8s
