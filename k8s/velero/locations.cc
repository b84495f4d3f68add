#include "k8s/velero/locations.h"

#include "k8s/spec/credentials_file.h"

namespace holdfast::k8s {

Result<void> Locations::read_credential(const json::object& spec, LocationClaim& claim) const {
  const json::object& reference = object_at(spec, "credential");
  const std::string secret_name = text_at(reference, "name");
  if (secret_name.empty()) return {};
  const auto text = c_.client.get("/api/v1/namespaces/" + c_.name_space() + "/secrets/" + secret_name);
  if (!text) return error(Code::kFailedPrecondition, "its credential cannot be read: " + text.error().message());
  const json::object secret = object_or_empty(*text);
  const std::string key = text_at(reference, "key");
  const auto file = from_base64(view_at(object_at(secret, "data"), key));
  if (!file || file->empty()) return error(Code::kFailedPrecondition, "its credential, secret " + secret_name + ", has no key \"" + key + "\"");
  const std::string content(as_text(*file));
  const auto keys = parse_credentials_file(content, view_at(object_at(spec, "config"), "profile"));
  if (!keys) return error(Code::kFailedPrecondition, "its credential, secret " + secret_name + ": " + keys.error().message());
  claim.has_credential = true;
  claim.access_key = keys->first;
  claim.secret = keys->second;
  return {};
}

Result<Location> Locations::find(const std::string& name) const {
  const ObjectRef object = c_.objects.find(Kind::kLocation, name);
  if (!object) return error(Code::kNotFound, "backupstoragelocation \"" + name + "\" not found");
  const json::object& spec = object_at(*object, "spec");
  const json::object& storage = object_at(spec, "objectStorage");
  LocationClaim claim{text_at(spec, "provider"), text_at(storage, "bucket"), text_at(storage, "prefix"), text_at(object_at(spec, "config"), "s3Url"), view_at(spec, "accessMode") == "ReadOnly", false, {}, {}};
  HF_CHECK(read_credential(spec, claim));
  const auto granted = c_.appliance.grant(claim);
  if (!granted) return error(Code::kFailedPrecondition, granted.error().message());
  if (granted->read_only && !claim.read_only) return error(Code::kFailedPrecondition, "its access key may only read, and its accessMode is not ReadOnly");
  return Location{name, granted->place, claim.read_only};
}

std::string Locations::default_name() const {
  for (const ObjectRef& location : c_.objects.all(Kind::kLocation)) {
    if (is_true(object_at(*location, "spec"), "default")) return name_of(*location);
  }
  return "default";
}

Result<Location> Locations::of_backup(const std::string& backup) const {
  const ObjectRef object = c_.objects.find(Kind::kBackup, backup);
  if (!object) return error(Code::kNotFound, "can't find backup " + c_.name_space() + "/" + backup);
  const std::string location = text_at(object_at(*object, "spec"), "storageLocation");
  return find(location.empty() ? default_name() : location);
}

}  // namespace holdfast::k8s
