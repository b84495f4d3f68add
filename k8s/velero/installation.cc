#include "k8s/velero/installation.h"

#include "k8s/velero/definitions.h"
#include "k8s/velero/kinds.h"
#include "storage/base/log.h"

namespace holdfast::k8s {

namespace {

constexpr const char* kDefinitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
constexpr const char* kSecretName = "holdfast-location";
constexpr const char* kManagedLabel = "app.kubernetes.io/managed-by";
constexpr int kEstablishedTries = 60;
constexpr std::chrono::milliseconds kEstablishedWait{500};

Result<bool> exists(ApiClient& client, const std::string& path) {
  const auto found = client.get(path);
  if (found) return true;
  if (found.error().code() == Code::kNotFound) return false;
  return std::unexpected(found.error());
}

Result<void> create_missing(ApiClient& client, const std::string& collection, const std::string& name, const json::object& object) {
  HF_TRY(const bool there, exists(client, collection + "/" + name));
  if (there) return {};
  auto made = client.create(collection, "", json::serialize(object));
  if (!made && made.error().code() != Code::kAlreadyExists) return made;
  return {};
}

bool is_established(const json::object& definition) {
  for (const json::value& v : array_at(object_at(definition, "status"), "conditions")) {
    if (v.is_object() && view_at(v.get_object(), "type") == "Established") return view_at(v.get_object(), "status") == "True";
  }
  return false;
}

Result<void> await_established(ApiClient& client, const std::string& name) {
  for (int i = 0; i < kEstablishedTries; ++i) {
    HF_TRY(const std::string text, client.get(std::string(kDefinitions) + "/" + name));
    if (is_established(object_or_empty(text))) return {};
    if (!client.pause(kEstablishedWait)) break;
  }
  return error(Code::kDeadlineExceeded, "definition " + name + " is not established");
}

// Ours, as long as it bears our label; an object of that name that somebody else made stays as it is. False: it does.
Result<bool> put_managed(ApiClient& client, const std::string& collection, const std::string& name, json::object object) {
  const auto text = client.get(collection + "/" + name);
  if (!text && text.error().code() != Code::kNotFound) return std::unexpected(text.error());
  json::object metadata = object_at(object, "metadata");
  metadata["name"] = name;
  metadata["labels"] = json::object{{kManagedLabel, "holdfast"}, {"component", "velero"}, {kExcludeLabel, "true"}};
  object["metadata"] = std::move(metadata);
  if (!text) {
    HF_CHECK(client.create(collection, "", json::serialize(object)));
    return true;
  }
  const json::object live = object_or_empty(*text);
  if (view_at(object_at(metadata_of(live), "labels"), kManagedLabel) != "holdfast") return false;
  HF_CHECK(client.call("PATCH", collection + "/" + name, json::serialize(object), kMergePatch));
  return true;
}

json::object secret_object(const OwnLocation& location) {
  json::object data{{"cloud", "[default]\naws_access_key_id=" + location.access_key + "\naws_secret_access_key=" + location.secret + "\n"}};
  if (!location.ca_pem.empty()) data["ca.crt"] = location.ca_pem;
  return {{"apiVersion", "v1"}, {"kind", "Secret"}, {"type", "Opaque"}, {"stringData", std::move(data)}};
}

json::object location_object(const OwnLocation& location) {
  std::string prefix = location.place.prefix;
  if (prefix.ends_with('/')) prefix.pop_back();
  json::object storage{{"bucket", location.place.bucket}, {"prefix", prefix}};
  if (!location.ca_pem.empty()) storage["caCertRef"] = json::object{{"name", kSecretName}, {"key", "ca.crt"}};
  json::object config{{"region", location.region}, {"s3ForcePathStyle", "true"}, {"s3Url", location.url}};
  json::object spec{{"provider", "aws"}, {"objectStorage", std::move(storage)}, {"config", std::move(config)},
                    {"credential", json::object{{"name", kSecretName}, {"key", "cloud"}}}};
  return {{"apiVersion", "velero.io/v1"}, {"kind", "BackupStorageLocation"}, {"spec", std::move(spec)}};
}

}  // namespace

Result<void> install_definitions(ApiClient& client, const std::string& name_space) {
  const std::vector<json::object> wanted = velero_definitions();
  for (const json::object& d : wanted) HF_CHECK(create_missing(client, kDefinitions, name_of(d), d));
  for (const json::object& d : wanted) HF_CHECK(await_established(client, name_of(d)));
  const json::object space{{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", json::object{{"name", name_space}}}};
  return create_missing(client, "/api/v1/namespaces", name_space, space);
}

Result<void> install_location(ApiClient& client, const std::string& name_space, const OwnLocation& location) {
  const std::string locations = collection_of(Kind::kLocation, name_space), secrets = "/api/v1/namespaces/" + name_space + "/secrets";
  bool known = false, other_default = false;
  HF_CHECK(client.list(locations, {}, [&](std::string_view raw) -> Result<void> {
    const json::object other = object_or_empty(raw);
    if (name_of(other) == kLocationName) known = true;
    else if (is_true(object_at(other, "spec"), "default")) other_default = true;
    return {};
  }));
  // The Secret comes last: where it is without the location, people have taken the location away.
  HF_TRY(const bool made_before, exists(client, secrets + "/" + kSecretName));
  bool ours = false;
  if (known || !made_before) {
    json::object object = location_object(location);
    // What people changed about it later is theirs.
    if (!known && !other_default) object["spec"].get_object()["default"] = true;
    HF_TRY(ours, put_managed(client, locations, kLocationName, std::move(object)));
  }
  HF_TRY(const bool secret, put_managed(client, secrets, kSecretName, secret_object(location)));
  if (!ours || !secret) spdlog::info("{} namespace {}: the location \"{}\" there is not ours and stays as it is", client.server(), name_space, kLocationName);
  return {};
}

}  // namespace holdfast::k8s
