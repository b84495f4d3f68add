#include "k8s/bucket/object_stream.h"

namespace holdfast::k8s {

namespace {

constexpr size_t kPartBytes = 8 << 20;

struct Sums {
  std::string md5_hex;
  Checksum checksum;
};

Sums sums_of(ByteSpan bytes) {
  RunningChecksum running(or_default(ChecksumAlgorithm::kNone));
  running.update(bytes);
  return {hex(as_bytes(Digest::of(DigestKind::kMd5, bytes))),
          {or_default(ChecksumAlgorithm::kNone), ChecksumType::kFullObject, running.finish_base64()}};
}

}  // namespace

ObjectStream::ObjectStream(ObjectStore& store, std::string bucket, std::string key, std::string content_type)
    : store_(store), bucket_(std::move(bucket)), key_(std::move(key)) {
  if (!content_type.empty()) attributes_.headers.emplace_back("content-type", std::move(content_type));
}

ObjectStream::~ObjectStream() {
  if (!upload_id_.empty()) (void)store_.abort_upload(bucket_, key_, upload_id_);
}

Result<void> ObjectStream::append(ByteSpan bytes) {
  size_bytes_ += bytes.size();
  while (!bytes.empty()) {
    const size_t n = std::min(bytes.size(), kPartBytes - part_.size());
    part_.insert(part_.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(n));
    bytes = bytes.subspan(n);
    if (part_.size() == kPartBytes) HF_CHECK(write_part());
  }
  return {};
}

Result<void> ObjectStream::write_part() {
  if (upload_id_.empty()) {
    UploadRequest request;
    request.bucket = bucket_;
    request.key = key_;
    request.attributes = attributes_;
    HF_TRY(const Upload upload, store_.create_upload(std::move(request)));
    upload_id_ = upload.id;
  }
  const Sums sums = sums_of(part_);
  HF_TRY(auto sink, store_.open_body(bucket_, part_.size()));
  HF_CHECK(sink->append(part_));
  PartInfo info;
  info.number = static_cast<uint32_t>(parts_.size() + 1);
  info.etag = sums.md5_hex;
  info.checksum = sums.checksum.value;
  HF_CHECK(store_.put_part(bucket_, key_, upload_id_, info, std::move(sink)));
  parts_.push_back({info.number, info.etag, {}});
  part_.clear();
  return {};
}

Result<ObjectInfo> ObjectStream::put_whole() {
  const Sums sums = sums_of(part_);
  HF_TRY(auto sink, store_.open_body(bucket_, part_.size()));
  HF_CHECK(sink->append(part_));
  PutRequest put;
  put.bucket = bucket_;
  put.key = key_;
  put.attributes = attributes_;
  put.etag = sums.md5_hex;
  put.checksum = sums.checksum;
  return store_.put(std::move(put), std::move(sink));
}

Result<ObjectInfo> ObjectStream::finish() {
  if (upload_id_.empty()) return put_whole();
  if (!part_.empty()) HF_CHECK(write_part());
  CompleteRequest complete;
  complete.bucket = bucket_;
  complete.key = key_;
  complete.upload_id = upload_id_;
  complete.parts = parts_;
  HF_TRY(ObjectInfo info, store_.complete_upload(std::move(complete)));
  upload_id_.clear();
  return info;
}

Result<void> put_object(ObjectStore& store, const std::string& bucket, const std::string& key, std::string_view content,
                        const std::string& content_type) {
  ObjectStream stream(store, bucket, key, content_type);
  HF_CHECK(stream.append(as_bytes(content)));
  HF_CHECK(stream.finish());
  return {};
}

Result<std::string> get_object(ObjectStore& store, const std::string& bucket, const std::string& key, uint64_t max_bytes, ObjectInfo* info) {
  HF_TRY(const auto reader, store.get(bucket, key, {}));
  if (reader->info().is_marker) return error(Code::kNotFound, Subject::kKey, "no object \"" + key + "\"");
  if (reader->info().size_bytes > max_bytes) return error(Code::kInvalidArgument, "\"" + key + "\" is larger than " + std::to_string(max_bytes) + " bytes");
  if (info != nullptr) *info = reader->info();
  std::string text(reader->info().size_bytes, '\0');
  if (!text.empty()) HF_CHECK(reader->read(0, MutableByteSpan(reinterpret_cast<std::byte*>(text.data()), text.size())));
  return text;
}

}  // namespace holdfast::k8s
