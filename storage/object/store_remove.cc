#include <map>
#include <set>

#include "storage/object/store.h"
#include "storage/object/version_rules.h"

namespace holdfast {

namespace {

Result<void> check_match(const RemoveRequest& r, const VersionPtr& version) {
  if (r.if_match.empty() && !r.if_match_size_bytes && !r.if_match_modified_ms) return {};
  if (!version || version->info.is_marker) return error(no_such_key(r.key));
  const ObjectInfo& info = version->info;
  if (r.if_match_size_bytes && *r.if_match_size_bytes != info.size_bytes) {
    return error(Code::kFailedPrecondition, Subject::kKey, "\"" + r.key + "\" has another size");
  }
  if (r.if_match_modified_ms && *r.if_match_modified_ms / 1000 != info.modified_ms / 1000) {
    return error(Code::kFailedPrecondition, Subject::kKey, "\"" + r.key + "\" was modified at another time");
  }
  if (r.if_match.empty()) return {};
  const bool match = std::find(r.if_match.begin(), r.if_match.end(), version->info.etag) != r.if_match.end() ||
                     std::find(r.if_match.begin(), r.if_match.end(), "*") != r.if_match.end();
  if (!match) return error(Code::kFailedPrecondition, Subject::kKey, "If-Match: \"" + r.key + "\" has another ETag");
  return {};
}

// Removing one version for good.
Result<RemoveResult> remove_version(CommitContext& c, Pool& pool, const Bucket& bucket, const RemoveRequest& r,
                                    std::vector<Fact>& facts) {
  HF_TRY(const VersionPtr version, resolve(c.view, bucket.id, r.key, r.version));
  HF_CHECK(check_match(r, version));
  RemoveResult result;
  if (!version) return result;  // S3: removing what is not there succeeds
  HF_CHECK(check_not_locked(version->info, pool.time().now_ms(), r.bypass_governance));
  result.removed = true;
  result.removed_marker = version->info.is_marker;
  result.seq = version->info.seq;
  result.is_null = version->info.is_null;
  facts.push_back(VersionRemove{bucket.id, r.key, version->info.seq});
  return result;
}

// A delete marker becomes the newest version; under suspended versioning it replaces the null version.
Result<RemoveResult> add_marker(CommitContext& c, Pool& pool, const Bucket& bucket, const RemoveRequest& r,
                                std::vector<Fact>& facts) {
  HF_TRY(const VersionPtr latest, c.view.latest(bucket.id, r.key));
  HF_CHECK(check_match(r, latest));
  VersionPut put;
  HF_TRY(put.removes, replaced_by_new_version(c, bucket, r.key, latest, pool.time().now_ms()));
  ObjectInfo& info = put.version.info;
  info.bucket = bucket.id;
  info.key = r.key;
  info.seq = c.next_lsn + facts.size();
  info.is_marker = true;
  info.is_null = bucket.versioning == Versioning::kSuspended;
  info.modified_ms = c.now_ms;
  RemoveResult result;
  result.made_marker = true;
  result.removed = true;
  result.seq = info.seq;
  result.is_null = info.is_null;
  facts.push_back(std::move(put));
  return result;
}

}  // namespace

Result<std::vector<Result<RemoveResult>>> Store::remove(const std::string& bucket_name,
                                                        std::vector<RemoveRequest> requests) {
  HF_TRY(const Place place, find(bucket_name));
  std::vector<Result<RemoveResult>> results;
  CommitRequest commit;
  const bool versioned = place.bucket->versioning != Versioning::kOff;
  const bool only_markers = versioned && std::all_of(requests.begin(), requests.end(),
                                                     [](const RemoveRequest& r) { return r.version.latest(); });
  commit.purpose = only_markers ? Purpose::kDeleteMarker : Purpose::kDelete;
  commit.estimated_bytes = requests.size() * 256;
  commit.decide = [&](CommitContext& c) -> Result<std::vector<Fact>> {
    std::vector<Fact> facts;
    const auto bucket = place.pool->catalog().bucket(place.bucket->id);
    if (!bucket) return error(Code::kNotFound, Subject::kBucket, "no bucket \"" + bucket_name + "\"");
    std::set<std::pair<std::string, VersionSeq>> gone;
    std::map<std::string, RemoveResult> marked;
    for (const RemoveRequest& r : requests) {
      const size_t before = facts.size();
      const bool marker = r.version.latest() && bucket->versioning != Versioning::kOff;
      // A key named twice in one request gets one marker.
      if (const auto before_it = marked.find(r.key); marker && before_it != marked.end()) {
        results.push_back(before_it->second);
        continue;
      }
      auto result = marker ? add_marker(c, *place.pool, *bucket, r, facts)
                           : remove_version(c, *place.pool, *bucket, r, facts);
      // The same version named twice in one request goes once.
      const bool repeated = !marker && facts.size() > before && !gone.emplace(r.key, result->seq).second;
      if (repeated) facts.pop_back();
      if (marker && result) marked.emplace(r.key, *result);
      results.push_back(std::move(result));
    }
    return facts;
  };
  HF_CHECK(place.pool->commit(std::move(commit)));
  return results;
}

Result<ObjectInfo> Store::change_attributes(const std::string& bucket_name, const std::string& key,
                                            const VersionRef& ref, AttributeChange change) {
  HF_TRY(const Place place, find(bucket_name));
  ObjectInfo info;
  CommitRequest commit;
  commit.purpose = Purpose::kDelete;
  commit.decide = [&](CommitContext& c) -> Result<std::vector<Fact>> {
    HF_TRY(const VersionPtr version, resolve(c.view, place.bucket->id, key, ref));
    if (!version) return error(ref.latest() ? no_such_key(key) : no_such_version(key));
    if (version->info.is_marker) {
      return error(Code::kFailedPrecondition, Subject::kVersion, "\"" + key + "\": a delete marker has no attributes");
    }
    info = version->info;
    Attributes& a = info.attributes;
    if (change.retention) {
      const int64_t now_ms = place.pool->time().now_ms();
      const bool active = a.retention.mode != LockMode::kNone && a.retention.until_ms > now_ms;
      // Longer is always allowed. Another mode is not, not even a stricter one: it could never be taken back.
      const bool weaker = change.retention->mode == LockMode::kNone || change.retention->until_ms < a.retention.until_ms ||
                          change.retention->mode != a.retention.mode;
      const bool may = a.retention.mode == LockMode::kGovernance && change.bypass_governance;
      if (active && weaker && !may) {
        return error(Code::kPermissionDenied, Subject::kLock, "the retention of \"" + key + "\" may not be shortened");
      }
      a.retention = *change.retention;
    }
    if (change.legal_hold) a.legal_hold = *change.legal_hold;
    if (change.tags) a.tags = *change.tags;
    return std::vector<Fact>{VersionAttributes{place.bucket->id, key, info.seq, a}};
  };
  HF_CHECK(place.pool->commit(std::move(commit)));
  return info;
}

}  // namespace holdfast
