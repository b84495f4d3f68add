#include "k8s/velero/definitions.h"

#include <string>

namespace holdfast::k8s {

namespace {

struct Column {
  const char* name;
  const char* path;
  const char* type = "string";
  int priority = 0;
};

struct Definition {
  const char* kind;
  const char* plural;
  const char* short_name;
  const char* version;
  std::vector<Column> columns;
};

const Column kAge{"Age", ".metadata.creationTimestamp", "date"};

// Of data that is on its way from or to a volume.
std::vector<Column> movement_columns(bool into_store, const char* uploader) {
  std::vector<Column> columns{{"Status", ".status.phase"},
                              {"Started", ".status.startTimestamp", "date"},
                              {"Bytes Done", ".status.progress.bytesDone", "integer"},
                              {"Total Bytes", ".status.progress.totalBytes", "integer"}};
  if (into_store) columns.push_back({"Incremental Bytes", ".status.incrementalBytes", "integer", 10});
  columns.push_back({"Storage Location", ".spec.backupStorageLocation"});
  columns.push_back(kAge);
  columns.push_back({"Node", ".status.node"});
  if (uploader != nullptr) columns.push_back({uploader, ".spec.uploaderType"});
  return columns;
}

std::vector<Definition> definitions() {
  return {{"Backup", "backups", nullptr, "v1", {}},
          {"BackupRepository", "backuprepositories", nullptr, "v1", {kAge, {"Repository Type", ".spec.repositoryType"}}},
          {"BackupStorageLocation",
           "backupstoragelocations",
           "bsl",
           "v1",
           {{"Phase", ".status.phase"}, {"Last Validated", ".status.lastValidationTime", "date"}, kAge, {"Default", ".spec.default", "boolean"}}},
          {"DeleteBackupRequest", "deletebackuprequests", nullptr, "v1", {{"BackupName", ".spec.backupName"}, {"Status", ".status.phase"}}},
          {"DownloadRequest", "downloadrequests", nullptr, "v1", {}},
          {"PodVolumeBackup", "podvolumebackups", nullptr, "v1", movement_columns(true, "Uploader")},
          {"PodVolumeRestore", "podvolumerestores", nullptr, "v1", movement_columns(false, "Uploader Type")},
          {"Restore", "restores", nullptr, "v1", {}},
          {"Schedule",
           "schedules",
           nullptr,
           "v1",
           {{"Status", ".status.phase"}, {"Schedule", ".spec.schedule"}, {"LastBackup", ".status.lastBackup", "date"}, kAge, {"Paused", ".spec.paused", "boolean"}}},
          {"ServerStatusRequest", "serverstatusrequests", "ssr", "v1", {}},
          {"VolumeSnapshotLocation", "volumesnapshotlocations", "vsl", "v1", {}},
          {"DataDownload", "datadownloads", nullptr, "v2alpha1", movement_columns(false, nullptr)},
          {"DataUpload", "datauploads", nullptr, "v2alpha1", movement_columns(true, nullptr)}};
}

json::array columns_of(const Definition& d) {
  json::array out;
  for (const Column& c : d.columns) {
    json::object column{{"name", c.name}, {"jsonPath", c.path}, {"type", c.type}};
    if (std::string(c.type) == "integer") column["format"] = "int64";
    if (c.priority != 0) column["priority"] = c.priority;
    out.push_back(std::move(column));
  }
  return out;
}

json::object schema_of() {
  const json::object open{{"type", "object"}, {"x-kubernetes-preserve-unknown-fields", true}};
  json::object properties{{"apiVersion", json::object{{"type", "string"}}},
                          {"kind", json::object{{"type", "string"}}},
                          {"metadata", json::object{{"type", "object"}}},
                          {"spec", open},
                          {"status", open}};
  return {{"openAPIV3Schema", json::object{{"type", "object"}, {"properties", std::move(properties)}, {"x-kubernetes-preserve-unknown-fields", true}}}};
}

json::object definition_object(const Definition& d) {
  std::string singular = d.kind;
  for (char& c : singular) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  json::object names{{"kind", d.kind}, {"listKind", std::string(d.kind) + "List"}, {"plural", d.plural}, {"singular", singular}};
  if (d.short_name != nullptr) names["shortNames"] = json::array{d.short_name};
  json::object version{{"name", d.version}, {"served", true}, {"storage", true}, {"schema", schema_of()}};
  if (!d.columns.empty()) version["additionalPrinterColumns"] = columns_of(d);
  json::object metadata{{"name", std::string(d.plural) + ".velero.io"}, {"labels", json::object{{"component", "velero"}}}};
  json::object spec{{"group", "velero.io"}, {"names", std::move(names)}, {"scope", "Namespaced"}, {"versions", json::array{std::move(version)}}};
  return {{"apiVersion", "apiextensions.k8s.io/v1"}, {"kind", "CustomResourceDefinition"}, {"metadata", std::move(metadata)}, {"spec", std::move(spec)}};
}

}  // namespace

std::vector<json::object> velero_definitions() {
  std::vector<json::object> out;
  for (const Definition& d : definitions()) out.push_back(definition_object(d));
  return out;
}

}  // namespace holdfast::k8s
