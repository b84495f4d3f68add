#include "k8s/restore/item_transforms.h"

#include <algorithm>
#include <array>

#include "k8s/restore/service_transform.h"
#include "k8s/spec/labels.h"

namespace holdfast::k8s {

namespace {


using Transform = void (*)(json::object& object, const TransformContext& context);

void erase_annotations(json::object& object, std::initializer_list<std::string_view> names) {
  json::object* metadata = object_in(object, "metadata");
  json::object* annotations = metadata != nullptr ? object_in(*metadata, "annotations") : nullptr;
  if (annotations == nullptr) return;
  for (const std::string_view name : names) annotations->erase(name);
  if (annotations->empty()) metadata->erase("annotations");
}

void erase_by_name(json::object& holder, std::string_view list, const std::string& prefix) {
  json::array* entries = array_in(holder, list);
  if (entries == nullptr) return;
  json::array kept;
  for (json::value& v : *entries) {
    if (!v.is_object() || !view_at(v.get_object(), "name").starts_with(prefix)) kept.push_back(std::move(v));
  }
  *entries = std::move(kept);
}

// An earlier restore by Velero lets a pod wait for its volumes. Nobody would ever end that wait again.
void erase_waiting(json::object& spec) {
  json::array* containers = array_in(spec, "initContainers");
  if (containers == nullptr) return;
  json::array kept;
  for (json::value& c : *containers) {
    const std::string_view name = c.is_object() ? view_at(c.get_object(), "name") : std::string_view();
    if (name != "restore-wait" && name != "restic-wait") kept.push_back(std::move(c));
  }
  if (kept.empty()) spec.erase("initContainers");
  else *containers = std::move(kept);
}

// Where it ran, and tokens that clusters before 1.24 mounted from secrets of theirs.
void pod(json::object& o, const TransformContext&) {
  json::object* spec = object_in(o, "spec");
  if (spec == nullptr) return;
  spec->erase("nodeName");
  spec->erase("priority");
  erase_waiting(*spec);
  const std::string tokens = text_at(*spec, "serviceAccountName") + "-token-";
  erase_by_name(*spec, "volumes", tokens);
  for (const char* list : {"containers", "initContainers"}) {
    if (json::array* containers = array_in(*spec, list)) {
      for (json::value& c : *containers) {
        if (c.is_object()) erase_by_name(c.get_object(), "volumeMounts", tokens);
      }
    }
  }
}

void service(json::object& o, const TransformContext& c) { transform_service(o, c.spec->preserve_node_ports); }

void claim(json::object& o, const TransformContext& c) {
  erase_annotations(o, {"pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller", "volume.kubernetes.io/storage-provisioner",
                        "volume.beta.kubernetes.io/storage-provisioner", "volume.kubernetes.io/selected-node", "velero.io/volume-snapshot-name",
                        "velero.io/data-upload-name"});
  json::object* spec = object_in(o, "spec");
  if (spec != nullptr && c.volume_is_gone && c.volume_is_gone(text_at(*spec, "volumeName"))) spec->erase("volumeName");
}

// It waits for its claim again.
void volume(json::object& o, const TransformContext& c) {
  erase_annotations(o, {"pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller"});
  json::object* spec = object_in(o, "spec");
  json::object* reference = spec != nullptr ? object_in(*spec, "claimRef") : nullptr;
  if (reference == nullptr) return;
  reference->erase("uid");
  reference->erase("resourceVersion");
  (*reference)["namespace"] = c.spec->target_namespace(text_at(*reference, "namespace"));
}

void service_account(json::object& o, const TransformContext&) {
  erase_by_name(o, "secrets", text_at(object_at(o, "metadata"), "name") + "-token-");
  if (array_at(o, "secrets").empty()) o.erase("secrets");
}

// The cluster fills these in anew.
void secret(json::object& o, const TransformContext&) {
  if (view_at(o, "type") != "kubernetes.io/service-account-token") return;
  erase_annotations(o, {"kubernetes.io/service-account.uid"});
  if (json::object* data = object_in(o, "data")) {
    data->erase("token");
    data->erase("ca.crt");
  }
}

void job(json::object& o, const TransformContext&) {
  json::object* spec = object_in(o, "spec");
  if (spec == nullptr) return;
  const auto strip = [](json::object* holder, std::string_view labels) {
    json::object* found = holder != nullptr ? object_in(*holder, labels) : nullptr;
    if (found == nullptr) return;
    found->erase("controller-uid");
    found->erase("batch.kubernetes.io/controller-uid");
    if (found->empty()) holder->erase(labels);
  };
  if (json::object* selector = object_in(*spec, "selector")) {
    strip(selector, "matchLabels");
    if (selector->empty()) spec->erase("selector");
  }
  json::object* pods = object_in(*spec, "template");
  strip(pods != nullptr ? object_in(*pods, "metadata") : nullptr, "labels");
}

void role_binding(json::object& o, const TransformContext& c) {
  json::array* subjects = array_in(o, "subjects");
  if (subjects == nullptr) return;
  for (json::value& s : *subjects) {
    if (!s.is_object() || view_at(s.get_object(), "namespace").empty()) continue;
    s.get_object()["namespace"] = c.spec->target_namespace(text_at(s.get_object(), "namespace"));
  }
}

// Values that older servers allowed.
void webhooks(json::object& o, const TransformContext&) {
  json::array* hooks = array_in(o, "webhooks");
  if (hooks == nullptr || view_at(o, "apiVersion") != "admissionregistration.k8s.io/v1") return;
  for (json::value& h : *hooks) {
    if (!h.is_object()) continue;
    const std::string_view effects = view_at(h.get_object(), "sideEffects");
    if (effects != "None" && effects != "NoneOnDryRun") h.get_object()["sideEffects"] = "None";
  }
}

void definition(json::object& o, const TransformContext&) {
  json::object* spec = object_in(o, "spec");
  if (spec == nullptr || view_at(o, "apiVersion") != "apiextensions.k8s.io/v1" || !is_true(*spec, "preserveUnknownFields")) return;
  (*spec)["preserveUnknownFields"] = false;
  json::array* versions = array_in(*spec, "versions");
  if (versions == nullptr) return;
  for (json::value& v : *versions) {
    json::object* schema = v.is_object() ? object_in(v.get_object(), "schema") : nullptr;
    json::object* root = schema != nullptr ? object_in(*schema, "openAPIV3Schema") : nullptr;
    if (root != nullptr) (*root)["x-kubernetes-preserve-unknown-fields"] = true;
  }
}

constexpr std::array<std::pair<std::string_view, Transform>, 12> kTransforms{{
    {"pods", pod},
    {"services", service},
    {"persistentvolumeclaims", claim},
    {"persistentvolumes", volume},
    {"serviceaccounts", service_account},
    {"secrets", secret},
    {"jobs.batch", job},
    {"rolebindings.rbac.authorization.k8s.io", role_binding},
    {"clusterrolebindings.rbac.authorization.k8s.io", role_binding},
    {"mutatingwebhookconfigurations.admissionregistration.k8s.io", webhooks},
    {"validatingwebhookconfigurations.admissionregistration.k8s.io", webhooks},
    {"customresourcedefinitions.apiextensions.k8s.io", definition},
}};

}  // namespace

void transform(const std::string& group_resource, json::object& object, const TransformContext& context) {
  for (const auto& [name, change] : kTransforms) {
    if (name == group_resource) change(object, context);
  }
  object.erase("status");
  json::object* metadata = object_in(object, "metadata");
  if (metadata == nullptr) return;
  for (const char* field : {"generateName", "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
                            "deletionGracePeriodSeconds", "ownerReferences", "managedFields"}) {
    metadata->erase(field);
  }
  const std::string name_space = text_at(*metadata, "namespace");
  if (!name_space.empty()) (*metadata)["namespace"] = context.spec->target_namespace(name_space);
}

void label_as_restored(json::object& object, const std::string& restore, const std::string& backup) {
  json::object* metadata = object_in(object, "metadata");
  if (metadata == nullptr) return;
  json::object* labels = object_in(*metadata, "labels");
  if (labels == nullptr) labels = &((*metadata)["labels"] = json::object()).get_object();
  (*labels)[kBackupNameLabel] = label_value(backup);
  (*labels)[kRestoreNameLabel] = label_value(restore);
}

}  // namespace holdfast::k8s
