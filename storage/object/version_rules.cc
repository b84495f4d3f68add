#include "storage/object/version_rules.h"

namespace holdfast {

namespace {
bool contains(const std::vector<std::string>& etags, const std::string& etag) {
  return std::find(etags.begin(), etags.end(), etag) != etags.end();
}
}  // namespace

Status no_such_key(const std::string& key) {
  return Status(Code::kNotFound, Subject::kKey, "no object \"" + key + "\"");
}

Status no_such_version(const std::string& key) {
  return Status(Code::kNotFound, Subject::kVersion, "no such version of \"" + key + "\"");
}

Result<void> check_conditions(const WriteConditions& c, const VersionPtr& latest, const std::string& key) {
  const bool exists = latest && !latest->info.is_marker;
  if (c.create_only && exists) {
    return error(Code::kPermissionDenied, Subject::kUser, "\"" + key + "\" exists and this user may only create");
  }
  const bool wants_match = c.if_match_any || !c.if_match.empty();
  if (wants_match && !exists) return error(no_such_key(key));
  if (!c.if_match.empty() && !c.if_match_any && !contains(c.if_match, latest->info.etag)) {
    return error(Code::kFailedPrecondition, Subject::kKey, "If-Match: \"" + key + "\" has another ETag");
  }
  if (c.if_none_match_any && exists) {
    return error(Code::kFailedPrecondition, Subject::kKey, "If-None-Match: \"" + key + "\" exists");
  }
  if (exists && contains(c.if_none_match, latest->info.etag)) {
    return error(Code::kFailedPrecondition, Subject::kKey, "If-None-Match: \"" + key + "\" has that ETag");
  }
  return {};
}

Result<void> check_not_locked(const ObjectInfo& v, int64_t now_ms, bool bypass_governance) {
  if (v.attributes.legal_hold) {
    return error(Code::kPermissionDenied, Subject::kLock, "the version is under legal hold");
  }
  const Retention& r = v.attributes.retention;
  if (r.mode == LockMode::kNone || r.until_ms <= now_ms) return {};
  if (r.mode == LockMode::kGovernance && bypass_governance) return {};
  return error(Code::kPermissionDenied, Subject::kLock, "the version is locked until its retention ends");
}

Result<std::vector<VersionSeq>> replaced_by_new_version(CommitContext& context, const Bucket& bucket, const std::string& key,
                                                        const VersionPtr& latest, int64_t pool_now_ms) {
  std::vector<VersionSeq> replaced;
  if (bucket.versioning == Versioning::kEnabled || !latest) return replaced;
  VersionPtr null_version = latest;  // there is one of a key at most
  if (!latest->info.is_null) {
    HF_TRY(null_version, context.view.null_version(bucket.id, key));
  }
  if (!null_version) return replaced;
  HF_CHECK(check_not_locked(null_version->info, pool_now_ms, false));
  replaced.push_back(null_version->info.seq);
  return replaced;
}

Result<VersionPtr> resolve(const VersionView& view, BucketId bucket, const std::string& key, const VersionRef& ref) {
  if (ref.null_version) return view.null_version(bucket, key);
  if (ref.latest()) return view.latest(bucket, key);
  HF_TRY(VersionPtr version, view.version(bucket, key, *ref.seq));
  // The null version has no id but "null".
  return version && version->info.is_null ? VersionPtr() : version;
}

void apply_default_retention(const Bucket& bucket, int64_t pool_now_ms, Attributes& attributes) {
  const DefaultRetention& d = bucket.default_retention;
  if (attributes.retention.mode != LockMode::kNone || d.mode == LockMode::kNone) return;
  constexpr int64_t kDayMs = 24 * 3600 * 1000LL;
  attributes.retention.mode = d.mode;
  attributes.retention.until_ms = pool_now_ms + (d.days + 365LL * d.years) * kDayMs;
}

}  // namespace holdfast
