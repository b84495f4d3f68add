#include "storage/object/store.h"
#include "storage/object/store_body.h"
#include "storage/object/version_rules.h"

namespace holdfast {

Result<Store::Place> Store::find(const std::string& name) const {
  for (Pool* pool : pools_) {
    if (auto bucket = pool->catalog().bucket(name)) return Place{pool, std::move(*bucket)};
  }
  return error(Code::kNotFound, Subject::kBucket, "no bucket \"" + name + "\"");
}

Result<std::unique_ptr<BodySink>> Store::open_body(const std::string& bucket, uint64_t size_bytes) {
  HF_TRY(const Place place, find(bucket));
  Allocator& allocator = *place.pool->volume().allocator;
  if (!allocator.has_room(Purpose::kPut)) {
    allocator.reclaim(*place.pool->volume().device);
    if (!allocator.has_room(Purpose::kPut)) return error(Code::kOutOfSpace, Subject::kPool, "the pool is full");
  }
  return std::make_unique<StoreBody>(*place.pool, size_bytes);
}

Result<ObjectInfo> Store::put(PutRequest request, std::unique_ptr<BodySink> body) {
  HF_TRY(const Place place, find(request.bucket));
  auto& sink = dynamic_cast<StoreBody&>(*body);
  if (&sink.pool() != place.pool) {
    return error(Code::kUnavailable, Subject::kBucket, "the bucket moved while its body was written");
  }
  VersionPut put;
  CommitRequest commit;
  commit.estimated_bytes = 1024 + request.key.size();
  StoredVersion& version = put.version;
  if (sink.fits_inline()) {
    version.is_inline = true;
    HF_TRY(put.inline_body, sink.take_inline());
    commit.estimated_bytes += put.inline_body.size();
  } else {
    StoredPart part;
    part.info.size_bytes = sink.size_bytes();
    HF_TRY(part.body, sink.finish_bulk());
    commit.bodies.push_back(part.body);
    commit.incarnation = sink.incarnation();
    version.parts.push_back(std::move(part));
  }
  version.info.key = request.key;
  version.info.size_bytes = sink.size_bytes();
  version.info.etag = request.etag;
  version.info.checksum = request.checksum;
  version.info.attributes = std::move(request.attributes);
  ObjectInfo made;
  commit.decide = [&](CommitContext& c) -> Result<std::vector<Fact>> {
    // The bucket as it is now: it may have changed or gone since the body began.
    const auto bucket = place.pool->catalog().bucket(place.bucket.id);
    if (!bucket) return error(Code::kNotFound, Subject::kBucket, "no bucket \"" + request.bucket + "\"");
    HF_TRY(const VersionPtr latest, c.view.latest(bucket->id, request.key));
    HF_CHECK(check_conditions(request.conditions, latest, request.key));
    const int64_t pool_now_ms = place.pool->time().now_ms();
    HF_TRY(put.removes, replaced_by_new_version(c, *bucket, request.key, pool_now_ms));
    version.info.bucket = bucket->id;
    version.info.seq = c.next_lsn;
    version.info.is_null = bucket->versioning != Versioning::kEnabled;
    version.info.modified_ms = c.now_ms;
    apply_default_retention(*bucket, pool_now_ms, version.info.attributes);
    made = version.info;
    return std::vector<Fact>{std::move(put)};
  };
  HF_CHECK(place.pool->commit(std::move(commit)));
  return made;
}

}  // namespace holdfast
