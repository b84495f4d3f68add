#include "k8s/velero/request_controllers.h"

#include <map>

#include "storage/base/log.h"
#include "storage/base/names.h"
#include "storage/base/times.h"

namespace holdfast::k8s {

namespace {

constexpr std::chrono::seconds kUrlLifetime{600};  // Velero: persistence.DownloadURLTTL
constexpr int64_t kAnsweredForMs = 60'000;         // how long an answered status request stays
// The version whose objects and files these are: its command line looks for a mismatch.
constexpr const char* kServedVersion = "v1.18.3";

struct DownloadFile {
  bool of_restore;
  const char* prefix;
  const char* suffix;
};

const DownloadFile* file_of(const std::string& kind) {
  static const std::map<std::string, DownloadFile> kFiles{
      {"BackupLog", {false, "", "-logs.gz"}},
      {"BackupContents", {false, "", ".tar.gz"}},
      {"BackupVolumeSnapshots", {false, "", "-volumesnapshots.json.gz"}},
      {"BackupItemOperations", {false, "", "-itemoperations.json.gz"}},
      {"BackupResourceList", {false, "", "-resource-list.json.gz"}},
      {"BackupResults", {false, "", "-results.gz"}},
      {"CSIBackupVolumeSnapshots", {false, "", "-csi-volumesnapshots.json.gz"}},
      {"CSIBackupVolumeSnapshotContents", {false, "", "-csi-volumesnapshotcontents.json.gz"}},
      {"BackupVolumeInfos", {false, "", "-volumeinfo.json.gz"}},
      {"RestoreLog", {true, "restore-", "-logs.gz"}},
      {"RestoreResults", {true, "restore-", "-results.gz"}},
      {"RestoreResourceList", {true, "restore-", "-resource-list.json.gz"}},
      {"RestoreItemOperations", {true, "restore-", "-itemoperations.json.gz"}},
      {"RestoreVolumeInfo", {true, "", "-volumeinfo.json.gz"}}};
  const auto found = kFiles.find(kind);
  return found == kFiles.end() ? nullptr : &found->second;
}

json::array plugins() {
  json::array out;
  for (const auto& [kind, names] : std::map<std::string, std::vector<const char*>>{
           {"BackupItemAction", {"velero.io/pod", "velero.io/pv", "velero.io/service-account", "velero.io/crd-remap-version"}},
           {"ObjectStore", {"velero.io/aws"}},
           {"RestoreItemAction",
            {"velero.io/add-pvc-from-pod", "velero.io/apiservice", "velero.io/admission-webhook-configuration", "velero.io/cluster-role-bindings", "velero.io/crd-preserve-fields", "velero.io/job",
             "velero.io/pod", "velero.io/role-bindings", "velero.io/secret", "velero.io/service", "velero.io/service-account"}}}) {
    for (const char* name : names) out.push_back(json::object{{"kind", kind}, {"name", name}});
  }
  return out;
}

}  // namespace

std::string download_key(const BackupPlace& place, const std::string& kind, const std::string& name) {
  const DownloadFile* file = file_of(kind);
  if (file == nullptr || !is_dns_subdomain(name)) return "";
  const std::string file_name = file->prefix + name + file->suffix;
  return file->of_restore ? restore_key(place, name, file_name) : restore_point_key(place, name, file_name);
}

Result<BackupPlace> DownloadRequests::place_of(const std::string& kind, const std::string& name) const {
  std::string backup = name;
  if (const DownloadFile* file = file_of(kind); file != nullptr && file->of_restore) {
    const ObjectRef restore = c_.objects.find(Kind::kRestore, name);
    backup = restore ? text_at(object_at(*restore, "spec"), "backupName") : "";
  }
  const auto location = locations_.of_backup(backup);
  if (location) return location->place;
  if (location.error().code() == Code::kNotFound) return c_.options.location.place;  // where it would be
  return std::unexpected(location.error());
}

Result<LookAgain> DownloadRequests::reconcile(const std::string& name) {
  const ObjectRef request = c_.objects.find(Kind::kDownloadRequest, name);
  if (!request || is_being_deleted(*request)) return std::nullopt;
  const json::object& status = object_at(*request, "status");
  const int64_t now_ms = c_.clock().wall_ms();
  const auto expires_ms = parse_iso8601(view_at(status, "expiration"));
  if (!is_new(*request)) {
    if (expires_ms && *expires_ms > now_ms) return std::chrono::milliseconds(*expires_ms - now_ms);
    HF_CHECK(c_.objects.remove(Kind::kDownloadRequest, name));
    return std::nullopt;
  }
  // One that could not be answered in its time is of no use to anybody.
  const auto made_ms = parse_iso8601(view_at(metadata_of(*request), "creationTimestamp"));
  if (made_ms && *made_ms + std::chrono::milliseconds(kUrlLifetime).count() < now_ms) {
    HF_CHECK(c_.objects.remove(Kind::kDownloadRequest, name));
    return std::nullopt;
  }
  const json::object& target = object_at(object_at(*request, "spec"), "target");
  const std::string kind = text_at(target, "kind"), target_name = text_at(target, "name");
  json::object answer{{"phase", "Processed"}, {"expiration", rfc3339(now_ms + std::chrono::milliseconds(kUrlLifetime).count())}};
  HF_TRY(const BackupPlace place, place_of(kind, target_name));
  if (const std::string key = download_key(place, kind, target_name); !key.empty()) {
    HF_TRY(const std::string url, c_.appliance.download_url(place, key, kUrlLifetime));
    answer["downloadURL"] = url;
  } else {
    spdlog::warn("download request {}: there is no kind of download \"{}\", or \"{}\" is no name", name, kind, target_name);
  }
  HF_CHECK(c_.objects.patch(Kind::kDownloadRequest, name, {{"status", std::move(answer)}}));
  return kUrlLifetime;
}

Result<LookAgain> StatusRequests::reconcile(const std::string& name) {
  const ObjectRef request = c_.objects.find(Kind::kStatusRequest, name);
  if (!request || is_being_deleted(*request)) return std::nullopt;
  const int64_t now_ms = c_.clock().wall_ms();
  if (is_new(*request)) {
    json::object status{{"phase", "Processed"}, {"processedTimestamp", rfc3339(now_ms)}, {"serverVersion", kServedVersion}, {"plugins", plugins()}};
    HF_CHECK(c_.objects.patch(Kind::kStatusRequest, name, {{"status", std::move(status)}}));
    return std::chrono::milliseconds(kAnsweredForMs);
  }
  const auto processed_ms = parse_iso8601(view_at(object_at(*request, "status"), "processedTimestamp"));
  const int64_t left_ms = processed_ms ? *processed_ms + kAnsweredForMs - now_ms : 0;
  if (left_ms > 0) return std::chrono::milliseconds(left_ms);
  HF_CHECK(c_.objects.remove(Kind::kStatusRequest, name));
  return std::nullopt;
}

}  // namespace holdfast::k8s
