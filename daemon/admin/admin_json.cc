#include "daemon/admin/admin_json.h"

#include <boost/json.hpp>

#include "daemon/admin/admin_call.h"
#include "storage/base/access_keys.h"
#include "storage/base/names.h"
#include "storage/base/bytes.h"

namespace holdfast {

namespace json = boost::json;

namespace {

Result<std::vector<std::string>> scopes_field(const json::object& body) {
  std::vector<std::string> scopes;
  const json::value* v = body.if_contains("scopes");
  if (v == nullptr) return scopes;
  if (!v->is_array()) return error(Code::kInvalidArgument, "field \"scopes\" must be a list of strings");
  for (const json::value& one : v->as_array()) {
    if (!one.is_string() || one.as_string().empty()) {
      return error(Code::kInvalidArgument, "a scope is \"bucket\" or \"bucket/prefix\"");
    }
    scopes.emplace_back(one.as_string());
  }
  return scopes;
}

const char* versioning_name(Versioning v) {
  return v == Versioning::kEnabled ? "enabled" : v == Versioning::kSuspended ? "suspended" : "off";
}

}  // namespace

std::string role_name(Role role) {
  switch (role) {
    case Role::kAdmin: return "admin";
    case Role::kReadWrite: return "read-write";
    case Role::kReadOnly: return "read-only";
    case Role::kAppendOnly: return "append-only";
  }
  return "?";
}

Result<Role> parse_role(const std::string& name) {
  for (Role role : {Role::kAdmin, Role::kReadWrite, Role::kReadOnly, Role::kAppendOnly}) {
    if (name == role_name(role)) return role;
  }
  return error(Code::kInvalidArgument, "role \"" + name + "\" is none of admin, read-write, read-only, append-only");
}

json::object to_json(const PoolStatus& p) {
  return {{"name", p.name}, {"device", p.device}, {"state", p.state}, {"reason", p.reason},
          {"encrypted", p.encrypted}, {"time_unconfirmed", p.time_unconfirmed}, {"epoch", p.epoch},
          {"capacity_bytes", p.capacity_bytes}, {"free_bytes", p.free_bytes}, {"reserve_bytes", p.reserve_bytes},
          {"live_bytes", p.live_bytes}, {"journal_live_bytes", p.journal_live_bytes}, {"garbage_bytes", p.garbage_bytes},
          {"segments", p.segments}, {"free_segments", p.free_segments}, {"journal_segments", p.journal_segments},
          {"bulk_segments", p.bulk_segments}, {"visible_lsn", p.visible_lsn}, {"applied_lsn", p.applied_lsn},
          {"commit_groups", p.groups}, {"records", p.records}, {"epoch_restarts", p.epoch_restarts},
          {"device_sessions_lost", p.device_sessions_lost}, {"snapshot_lsn", p.snapshot_lsn},
          {"cache_max_bytes", p.cache_max_bytes}, {"cache_bytes", p.cache_bytes}, {"cache_hits", p.cache_hits}, {"cache_misses", p.cache_misses}};
}

json::object to_json(const ScrubStatus& s) {
  json::array damage;
  for (const std::string& d : s.damage) damage.emplace_back(d);
  return {{"running", s.running}, {"versions_checked", s.versions_checked}, {"bytes_checked", s.bytes_checked},
          {"damaged", s.damaged}, {"started_ms", s.started_ms}, {"finished_ms", s.finished_ms},
          {"damage", damage}, {"stopped_by", s.stopped_by}};
}

json::object to_json(const User& u) {
  json::array scopes;
  for (const std::string& s : u.scopes) scopes.emplace_back(s);
  return {{"access_key", u.access_key}, {"name", u.name}, {"role", role_name(u.role)},
          {"enabled", u.enabled}, {"scopes", scopes}, {"created_ms", u.created_ms}};
}

json::object to_json(const Bucket& b) {
  return {{"name", b.name}, {"owner", b.owner}, {"created_ms", b.created_ms},
          {"versioning", versioning_name(b.versioning)}, {"object_lock", b.lock_enabled}};
}

json::object to_json(const BucketUsage& u) {
  return {{"objects", u.objects}, {"object_bytes", u.object_bytes}, {"versions", u.versions},
          {"version_bytes", u.version_bytes}, {"uploads", u.uploads}, {"upload_bytes", u.upload_bytes}};
}

Result<User> user_from_json(const json::object& body, Random& random) {
  HF_CHECK(only_keys(body, {"access_key", "secret_key", "name", "role", "scopes", "enabled"}));
  User u;
  HF_TRY(u.access_key, text_field(body, "access_key"));
  HF_TRY(u.secret, text_field(body, "secret_key"));
  HF_TRY(u.name, text_field(body, "name"));
  HF_TRY(const std::string role, text_field(body, "role"));
  HF_TRY(u.role, parse_role(role.empty() ? "read-write" : role));
  HF_TRY(u.scopes, scopes_field(body));
  HF_TRY(u.enabled, flag_field(body, "enabled", true));
  if (u.access_key.empty()) u.access_key = new_access_key(random);
  if (u.secret.empty()) u.secret = new_secret_key(random);
  if (u.access_key.size() < 3 || u.access_key.find_first_of(" /,=\n") != std::string::npos) {
    return error(Code::kInvalidArgument, "an access key has at least 3 characters and no blank, '/', ',' or '='");
  }
  if (u.secret.size() < 8) return error(Code::kInvalidArgument, "a secret key has at least 8 characters");
  return u;
}

Result<void> change_user(User& u, const json::object& body) {
  HF_CHECK(only_keys(body, {"name", "role", "scopes", "enabled"}));
  if (body.contains("name")) {
    HF_TRY(u.name, text_field(body, "name"));
  }
  if (body.contains("role")) {
    HF_TRY(const std::string role, text_field(body, "role"));
    HF_TRY(u.role, parse_role(role));
  }
  if (body.contains("scopes")) {
    HF_TRY(u.scopes, scopes_field(body));
  }
  HF_TRY(u.enabled, flag_field(body, "enabled", u.enabled));
  return {};
}

Result<NewBucket> bucket_from_json(const json::object& body) {
  HF_CHECK(only_keys(body, {"name", "pool", "versioning", "object_lock", "owner"}));
  NewBucket n;
  HF_TRY(n.bucket.name, text_field(body, "name"));
  HF_TRY(n.bucket.owner, text_field(body, "owner"));
  HF_TRY(n.pool, text_field(body, "pool"));
  HF_TRY(const std::string versioning, text_field(body, "versioning"));
  HF_TRY(n.bucket.lock_enabled, flag_field(body, "object_lock", false));
  HF_CHECK(check_bucket_name(n.bucket.name));
  if (!versioning.empty() && versioning != "enabled" && versioning != "off") {
    return error(Code::kInvalidArgument, "versioning is \"enabled\" or \"off\"");
  }
  if (versioning == "enabled" || n.bucket.lock_enabled) n.bucket.versioning = Versioning::kEnabled;
  return n;
}

}  // namespace holdfast
