#include "storage/remote_objects.h"

#include <algorithm>
#include <functional>
#include <map>
#include <mutex>

namespace holdfast {

namespace {

constexpr uint64_t kMostBodyBytes = 64 << 20;
constexpr uint64_t kPieceBytes = 4 << 20;

std::unexpected<Status> not_there(const char* what) { return error(Code::kUnimplemented, std::string("buckets elsewhere: ") + what); }

class Body final : public BodySink {
 public:
  explicit Body(uint64_t size_bytes) : announced_(size_bytes) { text_.reserve(size_bytes); }

  Result<void> append(ByteSpan bytes) override {
    if (text_.size() + bytes.size() > announced_) return error(Code::kInvalidArgument, "more than the announced " + std::to_string(announced_) + " bytes");
    text_ += as_text(bytes);
    return {};
  }
  uint64_t size_bytes() const override { return text_.size(); }
  const std::string& text() const { return text_; }

 private:
  const uint64_t announced_;
  std::string text_;
};

ObjectInfo info_of(const RemoteObject& object) {
  ObjectInfo info;
  info.key = object.key;
  info.size_bytes = object.size_bytes;
  info.etag = object.etag;
  info.modified_ms = object.modified_ms;
  info.is_null = info.is_latest = true;
  info.seq = std::hash<std::string>{}(object.etag + "," + std::to_string(object.modified_ms)) | 1;
  return info;
}

class Reader final : public ObjectReader {
 public:
  Reader(std::shared_ptr<RemoteStore> remote, ObjectInfo info) : remote_(std::move(remote)), info_(std::move(info)) {}

  const ObjectInfo& info() const override { return info_; }

  Result<void> read(uint64_t offset_bytes, MutableByteSpan out) override {
    if (offset_bytes > info_.size_bytes || out.size() > info_.size_bytes - offset_bytes) return error(Code::kInvalidArgument, info_.key + " ends before that");
    while (!out.empty()) {
      if (offset_bytes < begins_ || offset_bytes >= begins_ + piece_.size()) {
        HF_TRY(piece_, remote_->read(info_.key, offset_bytes, std::min(kPieceBytes, info_.size_bytes - offset_bytes), info_.etag));
        begins_ = offset_bytes;
      }
      const uint64_t at = offset_bytes - begins_, n = std::min<uint64_t>(out.size(), piece_.size() - at);
      std::copy_n(as_bytes(piece_).begin() + static_cast<ptrdiff_t>(at), n, out.begin());
      out = out.subspan(n);
      offset_bytes += n;
    }
    return {};
  }

 private:
  const std::shared_ptr<RemoteStore> remote_;
  const ObjectInfo info_;
  std::string piece_;  // the last that was read
  uint64_t begins_ = 0;
};

class RemoteObjects final : public ObjectStore {
 public:
  explicit RemoteObjects(std::shared_ptr<RemoteStore> remote) : remote_(std::move(remote)) {}

  Result<std::unique_ptr<BodySink>> open_body(const std::string& bucket, uint64_t size_bytes) override {
    HF_CHECK(is_meant(bucket));
    if (size_bytes > kMostBodyBytes) return error(Code::kInvalidArgument, "a body of " + std::to_string(size_bytes) + " bytes has to go in parts");
    return std::make_unique<Body>(size_bytes);
  }

  Result<ObjectInfo> put(PutRequest request, std::unique_ptr<BodySink> body) override {
    HF_CHECK(is_meant(request.bucket));
    HF_TRY(RemotePut put, put_of(request.key, request.attributes, request.conditions));
    put.md5 = request.etag;
    const std::string& text = static_cast<const Body&>(*body).text();
    HF_TRY(const std::string etag, remote_->put(put, text));
    return info_of({request.key, text.size(), etag});
  }

  Result<std::unique_ptr<ObjectReader>> get(const std::string& bucket, const std::string& key, const VersionRef& version) override {
    HF_CHECK(is_meant(bucket));
    HF_TRY(const RemoteObject there, remote_->head(key));
    ObjectInfo info = info_of(there);
    if (version.seq && *version.seq != info.seq) return error(Code::kNotFound, Subject::kVersion, "that version of \"" + key + "\" is not the current one");
    return std::make_unique<Reader>(remote_, std::move(info));
  }

  Result<std::vector<Result<RemoveResult>>> remove(const std::string& bucket, std::vector<RemoveRequest> requests) override {
    HF_CHECK(is_meant(bucket));
    std::vector<Result<RemoveResult>> results;
    for (const RemoveRequest& r : requests) {
      if (!r.if_match.empty() || r.if_match_size_bytes || r.if_match_modified_ms || r.version.seq) {
        results.push_back(not_there("removals have no conditions"));
        continue;
      }
      const auto gone = remote_->remove(r.key);
      results.push_back(gone ? Result<RemoveResult>(RemoveResult{.removed = true}) : std::unexpected(gone.error()));
    }
    return results;
  }

  Result<ObjectInfo> change_attributes(const std::string&, const std::string&, const VersionRef&, AttributeChange) override { return not_there("attributes cannot be changed"); }

  Result<ListPage> list(const std::string& bucket, ListQuery query) override {
    HF_CHECK(is_meant(bucket));
    if (query.all_versions) return not_there("versions cannot be listed");
    RemoteList request{query.prefix, query.delimiter, "", std::min(query.max, 1000U), query.after_key};
    // Behind everything that a common prefix stands for.
    const bool behind_prefix = !query.delimiter.empty() && query.after_key.size() > query.prefix.size() && query.after_key.ends_with(query.delimiter);
    if (behind_prefix) request.after += "\xf4\x8f\xbf\xbf";
    HF_TRY(const RemotePage there, remote_->list(request));
    ListPage page;
    page.common_prefixes = there.common_prefixes;
    for (const RemoteObject& o : there.objects) {
      page.entries.push_back(info_of(o));
      page.next_key = o.key;
    }
    if (!page.common_prefixes.empty()) page.next_key = std::max(page.next_key, page.common_prefixes.back());
    page.truncated = !there.next.empty();
    if (page.truncated && page.next_key <= query.after_key) return error(Code::kCorrupt, remote_->place().url + "/" + bucket + " gives a page that goes no further");
    return page;
  }

  Result<Upload> create_upload(UploadRequest request) override {
    HF_CHECK(is_meant(request.bucket));
    HF_TRY(const RemotePut put, put_of(request.key, request.attributes, {}));
    Upload upload;
    upload.key = request.key;
    HF_TRY(upload.id, remote_->create_upload(put));
    return upload;
  }

  Result<PartInfo> put_part(const std::string& bucket, const std::string& key, const std::string& upload_id, PartInfo info, std::unique_ptr<BodySink> body) override {
    HF_CHECK(is_meant(bucket));
    HF_TRY(const RemotePart part, remote_->put_part(key, upload_id, info.number, static_cast<const Body&>(*body).text(), info.etag));
    info.size_bytes = part.size_bytes;
    std::lock_guard lock(mutex_);
    parts_[upload_id][info.number] = {info.etag, part};
    return info;
  }

  Result<ObjectInfo> complete_upload(CompleteRequest request) override {
    HF_CHECK(is_meant(request.bucket));
    if (request.conditions.if_none_match_any || request.conditions.create_only || !request.conditions.if_match.empty()) return not_there("uploads have no conditions");
    std::vector<RemotePart> parts;
    uint64_t size_bytes = 0;
    {
      std::lock_guard lock(mutex_);
      for (const CompletedPart& p : request.parts) {
        const auto& known = parts_[request.upload_id];
        const auto part = known.find(p.number);
        if (part == known.end() || part->second.first != p.etag) return error(Code::kInvalidArgument, "part " + std::to_string(p.number) + " of \"" + request.key + "\" was not sent from here");
        parts.push_back(part->second.second);
        size_bytes += part->second.second.size_bytes;
      }
    }
    HF_TRY(const std::string etag, remote_->complete_upload(request.key, request.upload_id, parts));
    forget(request.upload_id);
    return info_of({request.key, size_bytes, etag});
  }

  Result<Upload> upload(const std::string&, const std::string&, const std::string&) override { return not_there("uploads cannot be looked at"); }

  Result<void> abort_upload(const std::string& bucket, const std::string& key, const std::string& upload_id) override {
    HF_CHECK(is_meant(bucket));
    forget(upload_id);
    return remote_->abort_upload(key, upload_id);
  }

  Result<UploadPage> list_uploads(const std::string& bucket, UploadQuery query) override {
    HF_CHECK(is_meant(bucket));
    HF_TRY(const auto there, remote_->uploads(query.prefix));
    UploadPage page;
    for (const RemoteUpload& u : there) {
      Upload upload;
      upload.id = u.id;
      upload.key = u.key;
      upload.initiated_ms = u.initiated_ms;
      page.uploads.push_back(std::move(upload));
    }
    return page;
  }

  Result<PartsPage> list_parts(const std::string&, const std::string&, const std::string&, uint32_t, uint32_t) override { return not_there("parts cannot be listed"); }

 private:
  Result<void> is_meant(const std::string& bucket) const {
    if (bucket == remote_->place().bucket) return {};
    return error(Code::kNotFound, Subject::kBucket, "this is bucket \"" + remote_->place().bucket + "\" of " + remote_->place().url);
  }

  static Result<RemotePut> put_of(const std::string& key, const Attributes& attributes, const WriteConditions& conditions) {
    RemotePut put{.key = key};
    for (const auto& [name, value] : attributes.headers) {
      if (name == "content-type") put.content_type = value;
    }
    put.tags = attributes.tags;
    put.only_new = conditions.if_none_match_any || conditions.create_only;
    if (conditions.if_match_any || conditions.if_match.size() > 1 || !conditions.if_none_match.empty()) return not_there("writes have no such conditions");
    if (!conditions.if_match.empty()) put.only_if_etag = conditions.if_match.front();
    return put;
  }

  void forget(const std::string& upload_id) {
    std::lock_guard lock(mutex_);
    parts_.erase(upload_id);
  }

  const std::shared_ptr<RemoteStore> remote_;
  std::mutex mutex_;
  // By upload and number: the ETag that was meant, and what the server calls it, which need not be the same.
  std::map<std::string, std::map<uint32_t, std::pair<std::string, RemotePart>>> parts_;
};

}  // namespace

std::shared_ptr<ObjectStore> remote_objects(std::shared_ptr<RemoteStore> remote) { return std::make_shared<RemoteObjects>(std::move(remote)); }

}  // namespace holdfast
