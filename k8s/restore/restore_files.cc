#include "k8s/restore/restore_files.h"

#include "k8s/bucket/gzip_writer.h"
#include "k8s/bucket/object_stream.h"
#include "k8s/client/json_access.h"
#include "k8s/spec/labels.h"

namespace holdfast::k8s {

Result<void> put_restore_document(const BackupPlace& place, const std::string& name, const std::string& document) {
  return put_object(*place.store, place.bucket, restore_key(place, name, kRestoreDocument), document, "application/json");
}

Result<void> put_restore_files(const BackupPlace& place, const std::string& name, const RestoreFiles& files) {
  const auto put = [&](const std::string& file, const std::string& packed) {
    return put_object(*place.store, place.bucket, restore_key(place, name, file), packed, "application/gzip");
  };
  HF_CHECK(put("restore-" + name + "-logs.gz", files.log));
  HF_CHECK(put("restore-" + name + "-results.gz", gzip(files.results_json)));
  HF_CHECK(put("restore-" + name + "-resource-list.json.gz", gzip(files.resource_list_json)));
  HF_CHECK(put("restore-" + name + "-itemoperations.json.gz", gzip("[]")));
  HF_CHECK(put(name + "-volumeinfo.json.gz", gzip("[]")));
  return put_restore_document(place, name, files.document);
}

Result<std::string> latest_of_schedule(const BackupPlace& place, const std::string& schedule) {
  HF_TRY(const auto points, list_restore_points(place));
  std::string name, started;
  for (const RestorePoint& p : points) {
    if (p.phase != "Completed" || p.started < started) continue;
    HF_TRY(const std::string document, restore_point_document(place, p.name));
    const json::object labels = object_at(object_at(object_or_empty(document), "metadata"), "labels");
    const std::string label = text_at(labels, kScheduleLabel);
    if (label != schedule && label != label_value(schedule)) continue;
    name = p.name;
    started = p.started;
  }
  if (name.empty()) return error(Code::kNotFound, "there is no Completed backup of schedule \"" + schedule + "\"");
  return name;
}

std::string plan_json(const RestoreReport& report) {
  json::object counts;
  for (const ItemAction a : {ItemAction::kCreated, ItemAction::kUpdated, ItemAction::kSkipped, ItemAction::kLeftOut, ItemAction::kFailed}) {
    counts[text_of(a)] = report.count(a);
  }
  json::array items;
  for (const ItemResult& r : report.items()) {
    items.push_back(json::object{{"resource", r.target.group_resource}, {"namespace", r.target.name_space}, {"name", r.target.name},
                                 {"action", text_of(r.action)}, {"why", r.why}});
  }
  return json::serialize(json::object{{"counts", std::move(counts)}, {"items", std::move(items)}});
}

}  // namespace holdfast::k8s
