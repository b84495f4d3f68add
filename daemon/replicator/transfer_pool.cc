#include "daemon/replicator/transfer_pool.h"

#include <thread>

namespace holdfast {

namespace {

RemotePut put_of(const CopyObject& object, const std::string& key) {
  RemotePut put{.key = key};
  for (const auto& [name, value] : object.info.attributes.headers) {
    if (name == "content-type") put.content_type = value;
  }
  return put;
}

}  // namespace

// Part of the memory that all transfers share.
class TransferPool::Reservation {
 public:
  Reservation(TransferPool& pool, uint64_t bytes) : pool_(pool), bytes_(bytes) {
    std::unique_lock lock(pool_.mutex_);
    pool_.changed_.wait(lock, [&] { return pool_.reserved_bytes_ == 0 || pool_.reserved_bytes_ + bytes_ <= pool_.limits_.memory_bytes; });
    pool_.reserved_bytes_ += bytes_;
  }
  ~Reservation() {
    std::lock_guard lock(pool_.mutex_);
    pool_.reserved_bytes_ -= bytes_;
    pool_.changed_.notify_all();
  }
  Reservation(const Reservation&) = delete;

 private:
  TransferPool& pool_;
  const uint64_t bytes_;
};

Result<void> TransferPool::send(const std::vector<const CopyObject*>& objects) {
  objects_.assign(objects.begin(), objects.end());
  size_t pieces = 0;
  for (const CopyObject* o : objects) pieces += o->pieces.size();
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < std::min<size_t>(limits_.transfers, pieces); ++i) threads.emplace_back([this] { work(); });
  }
  if (failed_) return std::unexpected(std::move(*failed_));
  return {};
}

void TransferPool::fail(Status status) {
  std::lock_guard lock(mutex_);
  if (!failed_) failed_ = std::move(status);
  changed_.notify_all();
}

void TransferPool::work() {
  for (;;) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return failed_ || !tasks_.empty() || !objects_.empty() || beginning_ == 0; });
    if (stop_.stop_requested() && !failed_) failed_ = Status(Code::kUnavailable, "it was stopped");
    if (failed_ || (tasks_.empty() && objects_.empty())) {
      changed_.notify_all();
      return;
    }
    if (!tasks_.empty()) {
      const Task task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      if (auto sent = send_part(task); !sent) fail(std::move(sent.error()));
      continue;
    }
    const CopyObject* object = objects_.front();
    objects_.pop_front();
    ++beginning_;
    lock.unlock();
    auto begun = begin(*object);
    if (!begun) fail(std::move(begun.error()));
    lock.lock();
    --beginning_;
    changed_.notify_all();
  }
}

Result<std::string> TransferPool::read(const CopyObject& object, const CopyPiece& piece) const {
  HF_TRY(const auto reader, source_.store->get(source_.bucket, object.info.key, VersionRef{object.info.is_null ? std::nullopt : std::optional(object.info.seq), object.info.is_null}));
  if (reader->info().etag != object.info.etag) return error(Code::kFailedPrecondition, object.info.key + " was changed while it was copied");
  std::string bytes;
  // Not filled with zeros first. What GCC 12 says here of the size is that of the room that it took.
  bytes.resize_and_overwrite(piece.size_bytes, [&](char*, size_t) { return piece.size_bytes; });
  HF_CHECK(reader->read(piece.offset_bytes, MutableByteSpan(reinterpret_cast<std::byte*>(bytes.data()), bytes.size())));
  return bytes;
}

Result<void> TransferPool::begin(const CopyObject& object) {
  const std::string key = site_prefix_ + object.name;
  if (object.pieces.front().number != 0) return begin_upload(object, key);
  const CopyPiece& whole = object.pieces.front();
  const Reservation room(*this, whole.size_bytes);
  HF_TRY(const std::string bytes, read(object, whole));
  RemotePut put = put_of(object, key);
  put.md5 = whole.etag;
  HF_TRY(const std::string etag, site_.put(put, bytes));
  HF_CHECK(confirm(object, etag));
  count(whole);
  remember(object, etag);
  return {};
}

Result<void> TransferPool::begin_upload(const CopyObject& object, const std::string& key) {
  auto upload = std::make_shared<Upload>();
  upload->object = &object;
  upload->key = key;
  upload->done.resize(object.pieces.size());
  std::vector<RemotePart> there;
  if (const auto unfinished = unfinished_.find(key); unfinished != unfinished_.end()) {
    upload->id = unfinished->second;
    auto parts = site_.parts(key, upload->id);
    if (!parts && parts.error().code() != Code::kNotFound) return std::unexpected(parts.error());
    if (parts) there = std::move(*parts);
    else upload->id.clear();
  }
  if (upload->id.empty()) {
    HF_TRY(upload->id, site_.create_upload(put_of(object, key)));
  }
  for (const RemotePart& part : there) {
    if (part.number == 0 || part.number > object.pieces.size()) continue;
    const CopyPiece& piece = object.pieces[part.number - 1];
    if (piece.etag.empty() || piece.etag != part.etag || piece.size_bytes != part.size_bytes) continue;
    upload->done[part.number - 1] = part;
    count(piece);
  }
  std::unique_lock lock(mutex_);
  for (size_t i = 0; i < object.pieces.size(); ++i) {
    if (!upload->done[i].etag.empty()) continue;
    ++upload->left;
    tasks_.push_back({upload, i});
  }
  changed_.notify_all();
  const bool ready = upload->left == 0;
  lock.unlock();
  return ready ? complete(*upload) : Result<void>();
}

Result<void> TransferPool::send_part(const Task& task) {
  Upload& upload = *task.upload;
  const CopyPiece& piece = upload.object->pieces[task.piece];
  {
    const Reservation room(*this, piece.size_bytes);
    HF_TRY(const std::string bytes, read(*upload.object, piece));
    HF_TRY(RemotePart part, site_.put_part(upload.key, upload.id, piece.number, bytes, piece.etag));
    std::lock_guard lock(mutex_);
    upload.done[task.piece] = std::move(part);
    count(piece);
    if (--upload.left > 0) return {};
  }
  return complete(upload);
}

Result<void> TransferPool::complete(Upload& upload) {
  auto etag = site_.complete_upload(upload.key, upload.id, upload.done);
  if (!etag && etag.error().is(Code::kNotFound, Subject::kUpload)) {
    // An earlier try may have been heard, and its answer lost.
    HF_TRY(const RemoteObject there, site_.head(upload.key));
    if (there.size_bytes != upload.object->info.size_bytes) return std::unexpected(etag.error());
    etag = there.etag;
  }
  if (!etag) return std::unexpected(etag.error());
  HF_CHECK(confirm(*upload.object, *etag));
  remember(*upload.object, *etag);
  return {};
}

void TransferPool::remember(const CopyObject& object, const std::string& etag) {
  ++progress_.objects_done;
  std::lock_guard lock(mutex_);
  sent_[object.name] = etag;
}

// A site that makes ETags in another way, or that has other bytes, is asked for them.
Result<void> TransferPool::confirm(const CopyObject& object, const std::string& etag) {
  if (object.same_pieces && etag == object.info.etag) return {};
  const std::string key = site_prefix_ + object.name;
  for (const CopyPiece& piece : object.pieces) {
    HF_TRY(const std::string here, read(object, piece));
    HF_TRY(const std::string there, site_.read(key, piece.offset_bytes, piece.size_bytes, ""));
    if (here != there) return error(Code::kCorrupt, site_.place().url + "/" + site_.place().bucket + "/" + key + " has other bytes than were sent");
  }
  return {};
}

}  // namespace holdfast
