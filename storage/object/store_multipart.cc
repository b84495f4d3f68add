#include "storage/object/multipart_result.h"
#include "storage/object/store.h"
#include "storage/object/store_body.h"
#include "storage/object/version_rules.h"

namespace holdfast {

namespace {

constexpr int64_t kRememberMs = 7LL * 24 * 3600 * 1000;

Status no_such_upload(const std::string& id) {
  return Status(Code::kNotFound, Subject::kUpload, "no upload \"" + id + "\"");
}

Result<Upload> find_upload(Pool& pool, const Bucket& bucket, const std::string& key, const std::string& id) {
  HF_TRY(auto upload, pool.index().upload(id));
  if (!upload || upload->bucket != bucket.id || upload->key != key) return error(no_such_upload(id));
  return std::move(*upload);
}

std::string random_id(Random& random) {
  std::byte raw[16];
  random.fill(raw);
  return hex(raw);
}

}  // namespace

Result<Upload> Store::create_upload(UploadRequest request) {
  HF_TRY(const Place place, find(request.bucket));
  Upload upload;
  upload.id = random_id(place.pool->random());
  upload.key = std::move(request.key);
  upload.owner = std::move(request.owner);
  upload.checksum = request.checksum;
  upload.attributes = std::move(request.attributes);
  CommitRequest commit;
  commit.settled = true;
  commit.decide = [&](CommitContext& c) -> Result<std::vector<Fact>> {
    const auto bucket = place.pool->catalog().bucket(place.bucket->id);
    if (!bucket) return error(Code::kNotFound, Subject::kBucket, "no bucket \"" + request.bucket + "\"");
    upload.bucket = bucket->id;
    upload.initiated_ms = c.now_ms;
    return std::vector<Fact>{UploadPut{upload}};
  };
  HF_CHECK(place.pool->commit(std::move(commit)));
  return upload;
}

Result<PartInfo> Store::put_part(const std::string& bucket, const std::string& key, const std::string& upload_id,
                                 PartInfo info, std::unique_ptr<BodySink> body) {
  HF_TRY(const Place place, find(bucket));
  HF_TRY(const Upload upload, find_upload(*place.pool, *place.bucket, key, upload_id));
  auto& sink = dynamic_cast<StoreBody&>(*body);
  StoredPart part;
  part.info = std::move(info);
  part.info.size_bytes = sink.size_bytes();
  HF_TRY(part.body, sink.finish_bulk());
  CommitRequest commit;
  commit.bodies.push_back(part.body);
  commit.incarnation = sink.incarnation();
  PartInfo made;
  commit.decide = [&](CommitContext& c) -> Result<std::vector<Fact>> {
    HF_TRY(const auto alive, c.index.upload(upload_id));  // uploads begin and end in settled commits
    if (!alive) return error(no_such_upload(upload_id));
    part.info.modified_ms = c.now_ms;
    made = part.info;
    return std::vector<Fact>{PartPut{upload_id, std::move(part)}};
  };
  HF_CHECK(place.pool->commit(std::move(commit)));
  return made;
}

Result<ObjectInfo> Store::complete_upload(CompleteRequest request) {
  HF_TRY(const Place place, find(request.bucket));
  Pool& pool = *place.pool;
  const std::string fingerprint = part_list_fingerprint(request.parts);
  ObjectInfo made;
  CommitRequest commit;
  commit.settled = true;
  commit.decide = [&](CommitContext& c) -> Result<std::vector<Fact>> {
    const auto bucket = pool.catalog().bucket(place.bucket->id);
    if (!bucket) return error(Code::kNotFound, Subject::kBucket, "no bucket \"" + request.bucket + "\"");
    HF_TRY(const auto done, c.index.completed(request.upload_id));
    if (done && done->bucket == bucket->id && done->key == request.key) {
      if (done->result != fingerprint) return error(no_such_upload(request.upload_id));
      HF_TRY(const auto version, c.index.version(done->bucket, done->key, done->seq));
      if (!version) return error(no_such_upload(request.upload_id));
      made = version->info;
      return std::vector<Fact>{};
    }
    HF_TRY(const auto upload, c.index.upload(request.upload_id));
    if (!upload || upload->bucket != bucket->id || upload->key != request.key) {
      return error(no_such_upload(request.upload_id));
    }
    HF_TRY(auto stored, c.index.parts(request.upload_id, 0, kMaxParts));
    HF_TRY(StoredVersion version, assemble(*upload, std::move(stored), request));
    HF_TRY(const VersionPtr latest, c.view.latest(bucket->id, request.key));
    HF_CHECK(check_conditions(request.conditions, latest, request.key));
    const int64_t pool_now_ms = pool.time().now_ms();
    VersionPut put;
    HF_TRY(put.removes, replaced_by_new_version(c, *bucket, request.key, latest, pool_now_ms));
    version.info.bucket = bucket->id;
    version.info.seq = c.next_lsn;
    version.info.is_null = bucket->versioning != Versioning::kEnabled;
    version.info.modified_ms = c.now_ms;
    apply_default_retention(*bucket, pool_now_ms, version.info.attributes);
    made = version.info;
    put.version = std::move(version);
    put.upload_id = request.upload_id;
    put.upload_result = fingerprint;
    put.upload_forget_ms = c.now_ms + kRememberMs;
    return std::vector<Fact>{std::move(put)};
  };
  HF_CHECK(pool.commit(std::move(commit)));
  return made;
}

// Uploads begin and end in settled commits, so the index knows of every one that was acknowledged.
Result<Upload> Store::upload(const std::string& bucket, const std::string& key, const std::string& upload_id) {
  HF_TRY(const Place place, find(bucket));
  return find_upload(*place.pool, *place.bucket, key, upload_id);
}

Result<void> Store::abort_upload(const std::string& bucket, const std::string& key, const std::string& upload_id) {
  HF_TRY(const Place place, find(bucket));
  CommitRequest commit;
  commit.settled = true;
  commit.purpose = Purpose::kDelete;
  commit.decide = [&](CommitContext& c) -> Result<std::vector<Fact>> {
    HF_TRY(const auto upload, c.index.upload(upload_id));
    if (!upload || upload->bucket != place.bucket->id || upload->key != key) return error(no_such_upload(upload_id));
    return std::vector<Fact>{UploadRemove{upload_id}};
  };
  return place.pool->commit(std::move(commit));
}

Result<UploadPage> Store::list_uploads(const std::string& bucket, UploadQuery query) {
  HF_TRY(const Place place, find(bucket));
  query.bucket = place.bucket->id;
  HF_CHECK(place.pool->settle());
  return place.pool->index().list_uploads(query);
}

Result<PartsPage> Store::list_parts(const std::string& bucket, const std::string& key, const std::string& upload_id,
                                    uint32_t after, uint32_t max) {
  HF_TRY(const Place place, find(bucket));
  HF_CHECK(place.pool->settle());
  PartsPage page;
  HF_TRY(page.upload, find_upload(*place.pool, *place.bucket, key, upload_id));
  HF_TRY(auto stored, place.pool->index().parts(upload_id, after, max + 1));
  page.truncated = stored.size() > max;
  if (page.truncated) stored.resize(max);
  for (StoredPart& part : stored) page.parts.push_back(std::move(part.info));
  return page;
}

}  // namespace holdfast
