#include "daemon/replicator/unit_check.h"

#include "daemon/replicator/copy_plan.h"

namespace holdfast {

namespace {

// What S3 calls the ETag of an object in these parts: the MD5 of one, of several the MD5 of their MD5s and how many they are.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
class PartDigests {
 public:
  void add_part(const std::string& digest) {
    last_ = digest;
    all_ += digest;
    ++count_;
  }
  std::string etag(bool in_parts) const {
    if (!in_parts) return hex(as_bytes(last_));
    return hex(as_bytes(Digest::of(DigestKind::kMd5, as_bytes(all_)))) + "-" + std::to_string(count_);
  }

 private:
  std::string last_, all_;
  unsigned count_ = 0;
};

Result<std::string> etag_there(RemoteStore& site, const std::string& key, const UnitObject& o, CopyProgress& progress, const std::stop_token& stop) {
  const std::vector<uint64_t> whole{o.size_bytes};
  PartDigests digests;
  uint64_t offset = 0;
  for (const uint64_t part_bytes : o.part_bytes.empty() ? whole : o.part_bytes) {
    Digest md5(DigestKind::kMd5);
    for (uint64_t done = 0; done < part_bytes;) {
      if (stop.stop_requested()) return error(Code::kUnavailable, "it was stopped");
      const uint64_t n = std::min(kPartBytes, part_bytes - done);
      HF_TRY(const std::string piece, site.read(key, offset + done, n, ""));
      md5.update(piece);
      done += n;
      progress.bytes_done += n;
    }
    offset += part_bytes;
    digests.add_part(md5.finish());
  }
  return digests.etag(!o.part_bytes.empty());
}

}  // namespace

Result<std::vector<std::string>> check_unit(RemoteStore& site, const SiteUnit& unit, CopyProgress& progress, const std::stop_token& stop) {
  HF_TRY(const auto objects, read_marker(site, unit));
  progress.objects = objects.size();
  for (const UnitObject& o : objects) progress.bytes += o.size_bytes;
  std::vector<std::string> wrong;
  for (const UnitObject& o : objects) {
    const std::string key = "clusters/" + unit.cluster + "/" + o.key;
    const auto there = site.head(key);
    if (!there && there.error().code() != Code::kNotFound) return std::unexpected(there.error());
    if (!there) {
      wrong.push_back(o.key + " is missing");
    } else if (there->size_bytes != o.size_bytes) {
      wrong.push_back(o.key + " has " + std::to_string(there->size_bytes) + " bytes instead of " + std::to_string(o.size_bytes));
    } else {
      HF_TRY(const std::string etag, etag_there(site, key, o, progress, stop));
      if (etag != o.etag) wrong.push_back(o.key + " has other bytes than were copied");
    }
    ++progress.objects_done;
  }
  return wrong;
}

}  // namespace holdfast
