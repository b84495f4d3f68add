// Restore points in their bucket.
#include "k8s/bucket/directory.h"
#include "k8s/bucket/gunzip_stream.h"
#include "k8s/bucket/object_stream.h"
#include "k8s/backup_engine.h"
#include "k8s/client/json_access.h"
#include "k8s/point_evidence.h"
#include "storage/base/names.h"
#include "storage/base/times.h"

namespace holdfast::k8s {

namespace {

constexpr uint64_t kMaxDocumentBytes = 4 << 20;
constexpr uint64_t kMaxLogBytes = 64 << 20;

// 0: it is not.
int64_t locked_until(const ObjectInfo& info) {
  const Retention& r = info.attributes.retention;
  return r.mode == LockMode::kCompliance ? r.until_ms : 0;
}

Result<void> lock_object(const BackupPlace& place, const std::string& key, int64_t until_ms) {
  HF_TRY(const auto reader, place.store->get(place.bucket, key, {}));
  if (locked_until(reader->info()) >= until_ms) return {};
  AttributeChange change;
  change.retention = Retention{LockMode::kCompliance, until_ms};
  change.bypass_governance = true;  // for a stronger lock
  HF_CHECK(place.store->change_attributes(place.bucket, key, {}, std::move(change)));
  return {};
}

// Removes what is locked, if its time is over. In a bucket that keeps versions a plain removal would only hide it.
Result<void> end_lock(const BackupPlace& place, const std::string& name, const std::string& key) {
  HF_TRY(const auto reader, place.store->get(place.bucket, key, {}));
  const ObjectInfo& info = reader->info();
  if (info.attributes.retention.mode == LockMode::kNone) return {};
  RemoveRequest request;
  request.key = key;
  request.version = {info.is_null ? std::nullopt : std::optional(info.seq), info.is_null};
  HF_TRY(const auto results, place.store->remove(place.bucket, {std::move(request)}));
  if (results.front() || results.front().error().code() != Code::kPermissionDenied) return results.front() ? Result<void>() : std::unexpected(results.front().error());
  return error(Code::kPermissionDenied, Subject::kLock, "backup \"" + name + "\" is locked until " + rfc3339(info.attributes.retention.until_ms));
}

}  // namespace

Result<void> check_backup_name(const std::string& name) {
  if (is_dns_subdomain(name)) return {};
  return error(Code::kInvalidArgument, "\"" + name + "\" is no name of a backup: lower case letters, digits, '-' and '.', 253 at most");
}

std::string restore_point_key(const BackupPlace& place, const std::string& name, const std::string& file) {
  return place.prefix + "backups/" + name + "/" + file;
}

Result<std::string> restore_point_document(const BackupPlace& place, const std::string& name) {
  auto text = get_object(*place.store, place.bucket, restore_point_key(place, name, kRestorePointDocument), kMaxDocumentBytes);
  if (!text && text.error().code() == Code::kNotFound) return error(Code::kNotFound, "there is no backup \"" + name + "\"");
  return text;
}

Result<std::string> restore_point_log(const BackupPlace& place, const std::string& name) {
  HF_CHECK(restore_point_document(place, name));
  HF_TRY(const std::string packed, get_object(*place.store, place.bucket, restore_point_key(place, name, name + "-logs.gz"), kMaxLogBytes));
  return gunzip(packed, kMaxLogBytes);
}

Result<std::optional<RestorePoint>> find_restore_point(const BackupPlace& place, const std::string& name) {
  ObjectInfo info;
  const auto text = get_object(*place.store, place.bucket, restore_point_key(place, name, kRestorePointDocument), kMaxDocumentBytes, &info);
  if (!text && text.error().code() != Code::kNotFound) return std::unexpected(text.error());
  const json::object document = text ? object_or_empty(*text) : json::object();
  const json::object& status = object_at(document, "status");
  if (status.empty()) return std::nullopt;
  const json::object& annotations = object_at(object_at(document, "metadata"), "annotations");
  RestorePoint point{name, text_at(status, "phase"), text_at(status, "startTimestamp"), text_at(status, "completionTimestamp"),
                      text_at(status, "expiration"), count_at(object_at(status, "progress"), "itemsBackedUp"),
                      count_at(status, "warnings"), count_at(status, "errors"),
                      view_at(annotations, kKeptBy) == kKeptByTtl, text_at(annotations, kPolicyAnnotation), text_at(annotations, kTierAnnotation)};
  for (const auto& [key, value] : object_at(object_at(document, "metadata"), "labels")) {
    if (value.is_string()) point.labels[key] = value.get_string();
  }
  if (const auto evidence = read_evidence(place, name)) {
    point.verified = evidence->verified();
    point.doubted = evidence->doubted();
  }
  point.locked_until_ms = locked_until(info);
  return point;
}

Result<std::vector<RestorePoint>> list_restore_points(const BackupPlace& place) {
  std::vector<RestorePoint> out;
  HF_TRY(const auto names, directories(place, "backups/"));
  for (const std::string& name : names) {
    HF_TRY(auto point, find_restore_point(place, name));
    if (point) out.push_back(std::move(*point));
  }
  return out;
}

Result<void> lock_restore_point(const BackupPlace& place, const std::string& name, int64_t until_ms) {
  HF_CHECK(check_backup_name(name));
  const std::string document = restore_point_key(place, name, kRestorePointDocument), evidence = restore_point_key(place, name, kEvidenceFile);
  HF_CHECK(restore_point_document(place, name));
  ListQuery query;
  query.prefix = restore_point_key(place, name, "");
  for (;;) {
    HF_TRY(const ListPage page, place.store->list(place.bucket, query));
    for (const ObjectInfo& o : page.entries) {
      if (o.key != document && o.key != evidence) HF_CHECK(lock_object(place, o.key, until_ms));
    }
    if (!page.truncated) break;
    query.after_key = page.next_key;
  }
  return lock_object(place, document, until_ms);
}

Result<void> delete_restore_point(const BackupPlace& place, const std::string& name) {
  HF_CHECK(check_backup_name(name));
  HF_CHECK(restore_point_document(place, name));
  const std::string document = restore_point_key(place, name, kRestorePointDocument);
  HF_CHECK(end_lock(place, name, document));
  HF_CHECK(remove_object(place, document));
  return delete_leftovers(place, name);
}

Result<void> delete_leftovers(const BackupPlace& place, const std::string& name) {
  return remove_directory(place, restore_point_key(place, name, ""));
}

}  // namespace holdfast::k8s
