// Restore points in their bucket.
#include "k8s/backup/gzip_reader.h"
#include "k8s/backup/object_stream.h"
#include "k8s/backup_engine.h"
#include "k8s/client/json_access.h"
#include "storage/base/names.h"

namespace holdfast::k8s {

namespace {

constexpr uint64_t kMaxDocumentBytes = 4 << 20;
constexpr uint64_t kMaxLogBytes = 64 << 20;
constexpr const char* kDocument = "velero-backup.json";

uint64_t count_at(const json::object& o, std::string_view key) {
  const json::value* v = o.if_contains(key);
  if (v == nullptr) return 0;
  if (v->is_int64()) return v->get_int64() < 0 ? 0 : static_cast<uint64_t>(v->get_int64());
  return v->is_uint64() ? v->get_uint64() : 0;
}

Result<void> remove_keys(const BackupPlace& place, std::vector<RemoveRequest> requests) {
  HF_TRY(const auto results, place.store->remove(place.bucket, std::move(requests)));
  for (const auto& r : results) {
    if (!r) return std::unexpected(r.error());
  }
  return {};
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
  auto text = get_object(*place.store, place.bucket, restore_point_key(place, name, kDocument), kMaxDocumentBytes);
  if (!text && text.error().code() == Code::kNotFound) return error(Code::kNotFound, "there is no backup \"" + name + "\"");
  return text;
}

Result<std::string> restore_point_log(const BackupPlace& place, const std::string& name) {
  HF_CHECK(restore_point_document(place, name));
  HF_TRY(const std::string packed, get_object(*place.store, place.bucket, restore_point_key(place, name, name + "-logs.gz"), kMaxLogBytes));
  return gunzip(packed, kMaxLogBytes);
}

Result<std::optional<RestorePoint>> find_restore_point(const BackupPlace& place, const std::string& name) {
  const auto text = restore_point_document(place, name);
  if (!text && text.error().code() != Code::kNotFound) return std::unexpected(text.error());
  const json::object document = text ? object_or_empty(*text) : json::object();
  const json::object& status = object_at(document, "status");
  if (status.empty()) return std::nullopt;
  return RestorePoint{name, text_at(status, "phase"), text_at(status, "startTimestamp"), text_at(status, "completionTimestamp"),
                      text_at(status, "expiration"), count_at(object_at(status, "progress"), "itemsBackedUp"),
                      count_at(status, "warnings"), count_at(status, "errors"),
                      view_at(object_at(object_at(document, "metadata"), "annotations"), kKeptBy) == kKeptByTtl};
}

Result<std::vector<RestorePoint>> list_restore_points(const BackupPlace& place) {
  std::vector<RestorePoint> out;
  const std::string root = place.prefix + "backups/";
  ListQuery query;
  query.prefix = root;
  query.delimiter = "/";
  for (;;) {
    HF_TRY(const ListPage page, place.store->list(place.bucket, query));
    for (const std::string& directory : page.common_prefixes) {
      const std::string name = directory.substr(root.size(), directory.size() - root.size() - 1);
      HF_TRY(auto point, find_restore_point(place, name));
      if (point) out.push_back(std::move(*point));
    }
    if (!page.truncated) return out;
    query.after_key = page.next_key;
  }
}

Result<void> delete_restore_point(const BackupPlace& place, const std::string& name) {
  HF_CHECK(check_backup_name(name));
  HF_CHECK(restore_point_document(place, name));
  RemoveRequest first;
  first.key = restore_point_key(place, name, kDocument);
  HF_CHECK(remove_keys(place, {first}));
  return delete_leftovers(place, name);
}

Result<void> delete_leftovers(const BackupPlace& place, const std::string& name) {
  UploadQuery uploads;
  uploads.prefix = restore_point_key(place, name, "");
  HF_TRY(const UploadPage unfinished, place.store->list_uploads(place.bucket, uploads));
  for (const Upload& u : unfinished.uploads) HF_CHECK(place.store->abort_upload(place.bucket, u.key, u.id));
  ListQuery query;
  query.prefix = restore_point_key(place, name, "");
  for (;;) {
    HF_TRY(const ListPage page, place.store->list(place.bucket, query));
    std::vector<RemoveRequest> requests;
    for (const ObjectInfo& o : page.entries) {
      RemoveRequest r;
      r.key = o.key;
      requests.push_back(std::move(r));
    }
    if (!requests.empty()) HF_CHECK(remove_keys(place, std::move(requests)));
    if (!page.truncated) return {};
    query.after_key = page.next_key;
  }
}

}  // namespace holdfast::k8s
