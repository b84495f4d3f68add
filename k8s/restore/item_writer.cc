#include "k8s/restore/item_writer.h"

#include <algorithm>

#include "k8s/restore/merge_patch.h"
#include "k8s/spec/labels.h"
#include "k8s/spec/resource_names.h"
#include "storage/net/http_types.h"

namespace holdfast::k8s {

namespace {

constexpr const char* kManager = "holdfast";
constexpr int kConflicts = 5;

// Who owns the fields of an object. What was made by plain updates is made again under the same name; field sets of
// server-side apply have to be put back as they were.
struct Ownership {
  std::string manager = kManager;
  bool applied = false;
};

Ownership ownership_of(const json::object& metadata) {
  Ownership out;
  for (const json::value& v : array_at(metadata, "managedFields")) {
    if (!v.is_object() || !view_at(v.get_object(), "subresource").empty()) continue;
    const std::string manager = text_at(v.get_object(), "manager");
    if (view_at(v.get_object(), "operation") == "Apply") out.applied = true;
    else if (out.manager == kManager && !manager.empty() && manager.size() <= 128) out.manager = manager;
  }
  return out;
}

json::object labels_only(const json::object& object) {
  const json::object& labels = object_at(object_at(object, "metadata"), "labels");
  json::object kept;
  for (const char* name : {kBackupNameLabel, kRestoreNameLabel}) kept[name] = view_at(labels, name);
  return {{"metadata", json::object{{"labels", std::move(kept)}}}};
}

// Those of `more` that `list` has none of the same name of.
json::array merged_by_name(json::array list, const json::array& more) {
  for (const json::value& m : more) {
    const bool there = std::any_of(list.begin(), list.end(), [&](const json::value& l) {
      return l.is_object() && m.is_object() && view_at(l.get_object(), "name") == view_at(m.get_object(), "name");
    });
    if (!there) list.push_back(m);
  }
  return list;
}

json::object merged_texts(const json::object& have, const json::object& more) {
  json::object out = have;
  for (const auto& [key, value] : more) {
    if (!out.contains(key) && key != kBackupNameLabel && key != kRestoreNameLabel) out[key] = value;
  }
  return out;
}

RestoreSpec without_mapping(const RestoreSpec& spec) {
  RestoreSpec out = spec;
  out.namespace_mapping.clear();
  return out;
}

}  // namespace

// One object on its way.
struct ItemWriter::Item {
  std::string group_resource;
  json::object object;
  const ApiResource* resource = nullptr;
  Ownership owner;
  ItemResult result;

  std::string path() const { return resource->path(result.target.name_space, result.target.name); }
  void fail(const Status& status) {
    result.unreachable = status.retryable();
    end(ItemAction::kFailed, status.message());
  }
  void end(ItemAction action, std::string why = {}, bool warning = false) {
    result.action = action;
    if (!result.why.empty() && !why.empty()) result.why += "; ";
    result.why += why;
    result.warning = result.warning || warning;
  }
};

ItemWriter::ItemWriter(ApiClient& client, WriterOptions options)
    : client_(client), options_(std::move(options)), backup_context_{options_.spec, options_.volume_is_gone}, live_context_{&live_spec_, {}},
      live_spec_(without_mapping(*options_.spec)) {}

void ItemWriter::use(const Discovery* discovery) {
  discovery_ = discovery;
  if (options_.spec->status) status_kinds_ = resolved(*options_.spec->status, *discovery);
}

// The version of the object where the cluster serves it, else the one it prefers.
const ApiResource* ItemWriter::resource_of(Item& item) const {
  const std::string version = text_at(item.object, "apiVersion");
  const size_t slash = version.find('/');
  if (const ApiResource* same = discovery_->find_version(item.group_resource, slash == std::string::npos ? version : version.substr(slash + 1))) return same;
  const ApiResource* preferred = discovery_->find_group_resource(item.group_resource);
  if (preferred == nullptr) return nullptr;
  item.object["apiVersion"] = preferred->api_version();
  item.end(ItemAction::kFailed, "the cluster does not serve it as " + version + ", it is restored as " + preferred->api_version(), true);
  return preferred;
}

bool ItemWriter::prepare(Item& item) const {
  auto why = left_out(item.group_resource, item.object);
  if (!why && options_.leave_out) {
    std::string more = options_.leave_out(item.group_resource, item.result.target.name);
    if (!more.empty()) why = std::move(more);
  }
  if (why) {
    item.end(ItemAction::kLeftOut, *why);
    return false;
  }
  item.resource = resource_of(item);
  if (item.resource == nullptr) {
    const bool coming = options_.plan && options_.is_coming && options_.is_coming(item.group_resource);
    if (coming) item.end(ItemAction::kCreated, "once its definition is there");
    else item.end(ItemAction::kFailed, "the cluster does not serve " + item.group_resource);
    return false;
  }
  if (!item.resource->can("create")) {
    item.end(ItemAction::kLeftOut, "the server makes such objects by itself");
    return false;
  }
  item.result.kind = item.resource->api_version() + "/" + item.resource->kind;
  return true;
}

// Modifiers see the object where it was, and may give it another name.
Result<void> ItemWriter::modify(Item& item, const std::string& origin) const {
  const auto move_to = [&](const std::string& name_space) {
    json::object* metadata = object_in(item.object, "metadata");
    if (metadata != nullptr && !origin.empty()) (*metadata)["namespace"] = name_space;
  };
  move_to(origin);
  HF_CHECK(options_.modify(item.group_resource, item.object));
  move_to(item.result.target.name_space);
  item.result.target.name = text_at(object_at(item.object, "metadata"), "name");
  return {};
}

ItemResult ItemWriter::write(const std::string& group_resource, json::object object) const {
  Item item{group_resource, std::move(object), nullptr, {}, {}};
  const json::object& metadata = object_at(item.object, "metadata");
  const std::string origin = text_at(metadata, "namespace");
  item.result.target = {group_resource, origin.empty() ? origin : options_.spec->target_namespace(origin), text_at(metadata, "name")};
  if (!prepare(item)) return std::move(item.result);
  item.owner = ownership_of(metadata);
  const json::value fields = array_at(metadata, "managedFields");
  const json::value status = object_at(item.object, "status");
  transform(group_resource, item.object, backup_context_);
  const bool is_pod = group_resource == "pods";
  if (is_pod && options_.prepare_pod) options_.prepare_pod(item.object, item.result.target.name_space);
  if (options_.modify) {
    if (auto modified = modify(item, origin); !modified) {
      item.end(ItemAction::kFailed, modified.error().message());
      return std::move(item.result);
    }
  }
  label_as_restored(item.object, options_.restore, options_.backup);
  if (options_.plan) {
    plan(item);
  } else {
    create(item);
    if (item.result.action == ItemAction::kCreated) {
      created(item, fields, status);
      if (is_pod && options_.pod_made) options_.pod_made(item.object);
    }
  }
  return std::move(item.result);
}

void ItemWriter::create(Item& item) const {
  const std::string collection = item.resource->path(item.result.target.name_space);
  const std::string query = "fieldManager=" + percent_encode(item.owner.manager, false);
  const std::string body = json::serialize(item.object);
  Result<void> done;
  for (int turn = 0; turn < kConflicts; ++turn) {
    done = client_.create(collection, query, body);
    // Quotas are counted optimistically: objects that are made side by side get into each other's way.
    if (done || done.error().code() != Code::kFailedPrecondition || !client_.pause(std::chrono::milliseconds(50 << turn))) break;
  }
  if (done) return item.end(ItemAction::kCreated);
  // A service whose node port is taken may be there itself.
  const bool may_exist = done.error().code() == Code::kAlreadyExists || (item.group_resource == "services" && done.error().code() == Code::kInvalidArgument);
  const auto live = may_exist ? client_.get(item.path()) : Result<std::string>(std::unexpected(done.error()));
  if (!live) return item.fail(done.error());
  settle(item, *live);
}

void ItemWriter::plan(Item& item) const {
  const auto live = client_.get(item.path());
  if (live) return settle(item, *live);
  if (live.error().code() != Code::kNotFound) return item.fail(live.error());
  item.end(ItemAction::kCreated);
  if (options_.namespace_is_new && !item.result.target.name_space.empty() && options_.namespace_is_new(item.result.target.name_space)) return;
  const auto tried = client_.create(item.resource->path(item.result.target.name_space), "dryRun=All", json::serialize(item.object));
  // An admission webhook that cannot be asked without effect says nothing about the object.
  if (tried || tried.error().message().find("dry run") != std::string::npos) return;
  item.fail(tried.error());
}

bool ItemWriter::restores_status(const Item& item) const {
  const std::string wish = text_at(object_at(object_at(item.object, "metadata"), "annotations"), "velero.io/restore-status");
  if (wish == "true" || wish == "false") return wish == "true";
  return options_.spec->status && status_kinds_.includes(item.group_resource);
}

void ItemWriter::created(Item& item, const json::value& fields, const json::value& status) const {
  if (!status.get_object().empty() && restores_status(item)) {
    const auto done = client_.call("PATCH", item.path() + "/status", json::serialize(json::object{{"status", status}}), kMergePatch);
    if (!done && done.error().code() != Code::kNotFound) item.end(ItemAction::kCreated, "its status could not be restored: " + done.error().message(), true);
  }
  if (!item.owner.applied) return;
  const json::object patch{{"metadata", json::object{{"managedFields", fields}}}};
  const auto done = client_.call("PATCH", item.path(), json::serialize(patch), kMergePatch);
  if (!done && done.error().code() != Code::kNotFound) item.end(ItemAction::kCreated, "who manages its fields could not be restored: " + done.error().message(), true);
}

void ItemWriter::settle(Item& item, const std::string& live_text) const {
  auto parsed = parse_object(live_text);
  if (!parsed) return item.end(ItemAction::kFailed, "the server's answer: " + parsed.error().message());
  json::object live = std::move(*parsed);
  const json::object& labels = object_at(object_at(item.object, "metadata"), "labels");
  const json::object live_labels = object_at(object_at(live, "metadata"), "labels");
  const bool ours = view_at(live_labels, kRestoreNameLabel) == view_at(labels, kRestoreNameLabel) && !options_.plan;
  transform(item.group_resource, live, live_context_);
  label_as_restored(live, options_.restore, options_.backup);
  if (item.group_resource == "persistentvolumeclaims" && !object_at(item.object, "spec").contains("volumeName")) {
    if (json::object* spec = object_in(live, "spec")) spec->erase("volumeName");
  }
  if (item.group_resource == "serviceaccounts") return merge_account(item, live);
  const json::object patch = merge_patch(live, item.object);
  // An earlier try of ours that got through although no answer came back.
  if (ours && patch.empty()) return item.end(ItemAction::kCreated);
  if (options_.spec->update_existing) return patch_existing(item, patch, live_labels);
  if (patch.empty()) return item.end(ItemAction::kSkipped, "it is there and the same");
  item.end(ItemAction::kSkipped, "it is there and differs from the backup; it was left as it is", true);
}

void ItemWriter::patch_existing(Item& item, const json::object& patch, const json::object& live_labels) const {
  if (options_.plan) return patch.empty() ? item.end(ItemAction::kSkipped, "it is there and the same") : item.end(ItemAction::kUpdated);
  json::object whole = labels_only(item.object);
  if (patch.empty()) {
    const json::object& wanted = object_at(object_at(item.object, "metadata"), "labels");
    const bool labelled = view_at(live_labels, kRestoreNameLabel) == view_at(wanted, kRestoreNameLabel);
    if (!labelled) (void)client_.call("PATCH", item.path(), json::serialize(whole), kMergePatch);
    return item.end(ItemAction::kSkipped, "it is there and the same");
  }
  json::value both = patch;
  apply_merge_patch(both, whole);
  auto done = client_.call("PATCH", item.path(), json::serialize(both), kMergePatch);
  if (done) return item.end(ItemAction::kUpdated);
  (void)client_.call("PATCH", item.path(), json::serialize(whole), kMergePatch);
  item.end(ItemAction::kSkipped, "it is there, differs from the backup and cannot be changed: " + done.error().message(), true);
}

// A cluster writes into service accounts by itself: nothing of that is taken away.
void ItemWriter::merge_account(Item& item, const json::object& live) const {
  json::object wanted = live;
  for (const char* list : {"secrets", "imagePullSecrets"}) {
    json::array merged = merged_by_name(array_at(live, list), array_at(item.object, list));
    if (!merged.empty()) wanted[list] = std::move(merged);
  }
  json::object& metadata = wanted["metadata"].get_object();
  for (const char* map : {"labels", "annotations"}) {
    json::object merged = merged_texts(object_at(metadata, map), object_at(object_at(item.object, "metadata"), map));
    if (!merged.empty()) metadata[map] = std::move(merged);
  }
  const json::object patch = merge_patch(live, wanted);
  if (patch.empty()) return item.end(ItemAction::kSkipped, "it is there and the same");
  if (options_.plan) return item.end(ItemAction::kUpdated, "what it lacks is added");
  const auto done = client_.call("PATCH", item.path(), json::serialize(patch), kMergePatch);
  if (done) return item.end(ItemAction::kUpdated, "what it lacked was added");
  item.end(ItemAction::kSkipped, "it is there and cannot be changed: " + done.error().message(), true);
}

}  // namespace holdfast::k8s
