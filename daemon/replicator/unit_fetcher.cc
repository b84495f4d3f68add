#include "daemon/replicator/unit_fetcher.h"

#include <thread>

#include "daemon/replicator/copy_plan.h"
#include "storage/base/digest.h"

namespace holdfast {

namespace {

class UnitFetcher {
 public:
  UnitFetcher(RemoteStore& site, const SiteUnit& unit, const CopySource& into, CopyLimits limits, CopyProgress& progress, const std::stop_token& stop)
      : site_(site), unit_(unit), into_(into), limits_(limits), progress_(progress), stop_(stop), document_("backups/" + unit.backup + "/velero-backup.json") {}

  Result<void> run() {
    if (const auto here = into_.store->get(into_.bucket, into_.prefix + document_, {}); here && !(*here)->info().is_marker) return error(Code::kAlreadyExists, "there is a backup \"" + unit_.backup + "\" of cluster \"" + unit_.cluster + "\" here");
    HF_TRY(const auto objects, read_marker(site_, unit_));
    const UnitObject* document = nullptr;
    for (const UnitObject& o : objects) {
      // A marker that somebody else wrote must not lead anywhere else.
      if (!("clusters/" + unit_.cluster + "/" + o.key).starts_with(unit_prefix(unit_.cluster, unit_.backup))) return error(Code::kCorrupt, "the marker at the site names \"" + o.key + "\", which is no part of that backup");
      progress_.bytes += o.size_bytes;
      if (o.key == document_) document = &o;
      else data_.push_back(&o);
    }
    progress_.objects = objects.size();
    if (document == nullptr) return error(Code::kCorrupt, "the marker at the site does not name velero-backup.json");
    HF_CHECK(fetch_data());
    return fetch(*document);
  }

 private:
  Result<void> fetch_data() {
    const uint64_t wanted = std::min<uint64_t>(limits_.transfers, std::max<uint64_t>(limits_.memory_bytes / kPartBytes, 1));
    {
      std::vector<std::jthread> threads;
      for (size_t i = 0; i < std::min<size_t>(wanted, data_.size()); ++i) threads.emplace_back([this] { work(); });
    }
    std::lock_guard lock(mutex_);
    if (failed_) return std::unexpected(*failed_);
    return {};
  }

  void work() {
    for (;;) {
      const size_t index = next_++;
      if (index >= data_.size()) return;
      const auto done = fetch(*data_[index]);
      if (done) continue;
      next_ = data_.size();
      std::lock_guard lock(mutex_);
      if (!failed_) failed_ = done.error();
      return;
    }
  }

  Result<void> fetch(const UnitObject& o) {
    const auto here = into_.store->get(into_.bucket, into_.prefix + o.key, {});
    if (here && !(*here)->info().is_marker && (*here)->info().size_bytes == o.size_bytes && (*here)->info().etag == o.etag) {
      progress_.bytes_done += o.size_bytes;
    } else if (o.part_bytes.empty()) {
      HF_CHECK(fetch_whole(o));
    } else {
      HF_CHECK(fetch_parts(o));
    }
    ++progress_.objects_done;
    return {};
  }

  // Gives the MD5 of what came.
  Result<std::string> pour(const UnitObject& o, uint64_t offset_bytes, uint64_t size_bytes, BodySink& sink) {
    Digest md5(DigestKind::kMd5);
    for (uint64_t done = 0; done < size_bytes;) {
      if (stop_.stop_requested()) return error(Code::kUnavailable, "it was stopped");
      const uint64_t n = std::min(kPartBytes, size_bytes - done);
      HF_TRY(const std::string piece, site_.read("clusters/" + unit_.cluster + "/" + o.key, offset_bytes + done, n, ""));
      md5.update(piece);
      HF_CHECK(sink.append(as_bytes(piece)));
      done += n;
      progress_.bytes_done += n;
    }
    return hex(as_bytes(md5.finish()));
  }

  Status other_bytes(const UnitObject& o) const { return Status(Code::kCorrupt, "the site has other bytes of " + o.key + " than it got"); }

  Result<void> fetch_whole(const UnitObject& o) {
    HF_TRY(auto sink, into_.store->open_body(into_.bucket, o.size_bytes));
    HF_TRY(const std::string etag, pour(o, 0, o.size_bytes, *sink));
    if (etag != o.etag) return std::unexpected(other_bytes(o));
    PutRequest put;
    put.bucket = into_.bucket;
    put.key = into_.prefix + o.key;
    put.etag = etag;
    HF_CHECK(into_.store->put(std::move(put), std::move(sink)));
    return {};
  }

  // In the parts that it had, so that its ETag is the same again.
  Result<void> fetch_parts(const UnitObject& o) {
    UploadRequest request;
    request.bucket = into_.bucket;
    request.key = into_.prefix + o.key;
    HF_TRY(const Upload upload, into_.store->create_upload(std::move(request)));
    const auto done = fill_upload(o, upload);
    if (!done) (void)into_.store->abort_upload(into_.bucket, upload.key, upload.id);
    return done;
  }

  Result<void> fill_upload(const UnitObject& o, const Upload& upload) {
    CompleteRequest complete;
    complete.bucket = into_.bucket;
    complete.key = upload.key;
    complete.upload_id = upload.id;
    complete.size_bytes = o.size_bytes;
    complete.min_part_bytes = 0;
    uint64_t offset = 0;
    std::string digests;
    for (const uint64_t part_bytes : o.part_bytes) {
      HF_TRY(auto sink, into_.store->open_body(into_.bucket, part_bytes));
      PartInfo part;
      part.number = static_cast<uint32_t>(complete.parts.size() + 1);
      HF_TRY(part.etag, pour(o, offset, part_bytes, *sink));
      complete.parts.push_back({part.number, part.etag, {}});
      HF_CHECK(into_.store->put_part(into_.bucket, upload.key, upload.id, part, std::move(sink)));
      const auto raw = from_hex(part.etag);
      if (raw) digests += as_text(*raw);
      offset += part_bytes;
    }
    if (hex(as_bytes(Digest::of(DigestKind::kMd5, as_bytes(digests)))) + "-" + std::to_string(complete.parts.size()) != o.etag) return std::unexpected(other_bytes(o));
    HF_CHECK(into_.store->complete_upload(std::move(complete)));
    return {};
  }

  RemoteStore& site_;
  const SiteUnit& unit_;
  const CopySource& into_;
  const CopyLimits limits_;
  CopyProgress& progress_;
  const std::stop_token& stop_;
  const std::string document_;
  std::vector<const UnitObject*> data_;
  std::atomic<size_t> next_{0};
  std::mutex mutex_;
  std::optional<Status> failed_;
};

}  // namespace

Result<void> fetch_unit(RemoteStore& site, const SiteUnit& unit, const CopySource& into, CopyLimits limits, CopyProgress& progress, const std::stop_token& stop) {
  return UnitFetcher(site, unit, into, limits, progress, stop).run();
}

}  // namespace holdfast
