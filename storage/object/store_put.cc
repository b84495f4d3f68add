#include "storage/object/store.h"
#include "storage/object/store_body.h"
#include "storage/object/version_rules.h"

namespace holdfast {

Result<Store::Place> Store::find(const std::string& name) const {
  for (Pool* pool : pools_) {
    if (auto bucket = pool->catalog().bucket(name)) return Place{pool, std::move(bucket)};
  }
  return error(Code::kNotFound, Subject::kBucket, "no bucket \"" + name + "\"");
}

Result<std::unique_ptr<BodySink>> Store::open_body(const std::string& bucket, uint64_t size_bytes) {
  HF_TRY(const Place place, find(bucket));
  Allocator& allocator = *place.pool->volume().allocator;
  if (!allocator.has_room(Purpose::kPut)) {
    allocator.reclaim();
    if (!allocator.has_room(Purpose::kPut)) return error(Code::kOutOfSpace, Subject::kPool, "the pool is full");
  }
  return std::make_unique<StoreBody>(*place.pool, size_bytes);
}

std::unique_ptr<BodySink> Store::open_body_now(const std::string& bucket, uint64_t size_bytes) {
  if (size_bytes > kInlineBytes) return nullptr;
  const auto place = find(bucket);
  if (!place || !place->pool->volume().allocator->has_room(Purpose::kPut)) return nullptr;
  return std::make_unique<StoreBody>(*place->pool, size_bytes);
}

// One version on its way to the committer, which decides about it.
struct Store::Putting {
  Putting(Place p, PutRequest r) : place(std::move(p)), request(std::move(r)) {}
  Result<std::vector<Fact>> decide(CommitContext& c);

  Place place;
  PutRequest request;
  VersionPut put;
  ObjectInfo made;  // once it is decided
};

Result<std::vector<Fact>> Store::Putting::decide(CommitContext& c) {
  // The bucket as it is now: it may have changed or gone since the body began.
  const auto bucket = place.pool->catalog().bucket(place.bucket->id);
  if (!bucket) return error(Code::kNotFound, Subject::kBucket, "no bucket \"" + request.bucket + "\"");
  HF_TRY(const VersionPtr latest, c.view.latest(bucket->id, request.key));
  HF_CHECK(check_conditions(request.conditions, latest, request.key));
  const int64_t pool_now_ms = place.pool->time().now_ms();
  HF_TRY(put.removes, replaced_by_new_version(c, *bucket, request.key, latest, pool_now_ms));
  ObjectInfo& info = put.version.info;
  info.bucket = bucket->id;
  info.seq = c.next_lsn;
  info.is_null = bucket->versioning != Versioning::kEnabled;
  info.modified_ms = c.now_ms;
  apply_default_retention(*bucket, pool_now_ms, info.attributes);
  made = info;
  return std::vector<Fact>{std::move(put)};
}

Result<CommitRequest> Store::commit_of(std::shared_ptr<Putting> p, StoreBody& sink) {
  if (&sink.pool() != p->place.pool) {
    return error(Code::kUnavailable, Subject::kBucket, "the bucket moved while its body was written");
  }
  CommitRequest commit;
  commit.estimated_bytes = 1024 + p->request.key.size();
  StoredVersion& version = p->put.version;
  if (sink.fits_inline()) {
    version.is_inline = true;
    HF_TRY(p->put.inline_body, sink.take_inline());
    commit.estimated_bytes += p->put.inline_body.size();
    if (p->request.etag.empty()) {
      commit.unhashed = p->put.inline_body;
      commit.md5 = &version.info.etag;  // lives as long as `decide`
    }
  } else {
    StoredPart part;
    part.info.size_bytes = sink.size_bytes();
    HF_TRY(part.body, sink.finish_bulk());
    commit.bodies.push_back(part.body);
    commit.incarnation = sink.incarnation();
    version.parts.push_back(std::move(part));
  }
  version.info.key = p->request.key;
  version.info.size_bytes = sink.size_bytes();
  version.info.etag = p->request.etag;
  version.info.checksum = p->request.checksum;
  version.info.attributes = std::move(p->request.attributes);
  commit.decide = [p](CommitContext& c) { return p->decide(c); };
  return commit;
}

Result<ObjectInfo> Store::put(PutRequest request, std::unique_ptr<BodySink> body) {
  HF_TRY(Place place, find(request.bucket));
  const auto putting = std::make_shared<Putting>(std::move(place), std::move(request));
  HF_TRY(CommitRequest commit, commit_of(putting, dynamic_cast<StoreBody&>(*body)));
  HF_CHECK(putting->place.pool->commit(std::move(commit)));
  return std::move(putting->made);
}

void Store::put_soon(PutRequest request, std::unique_ptr<BodySink> body, PutDone done) {
  auto place = find(request.bucket);
  if (!place) return done(std::unexpected(place.error()));
  const auto putting = std::make_shared<Putting>(std::move(*place), std::move(request));
  auto commit = commit_of(putting, dynamic_cast<StoreBody&>(*body));
  if (!commit) return done(std::unexpected(commit.error()));
  putting->place.pool->submit(std::move(*commit), [putting, done = std::move(done)](Result<void> result) {
    if (result) return done(std::move(putting->made));
    done(std::unexpected(result.error()));
  });
}

}  // namespace holdfast
