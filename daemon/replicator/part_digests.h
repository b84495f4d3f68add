// The ETag of an object while its bytes come.
#pragma once

#include "daemon/replicator/site_unit.h"
#include "storage/base/digest.h"

namespace holdfast {

// What S3 calls the ETag of an object in these parts: the MD5 of one, of several the MD5 of their MD5s and how many they are.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
class PartDigests {
 public:
  // In the parts that a unit's object had.
  explicit PartDigests(const UnitObject& object) : parts_(object.part_bytes) {}

  void update(std::string_view bytes) {
    while (!parts_.empty() && !bytes.empty()) {
      while (part_ < parts_.size() && filled_ == parts_[part_]) end_part();
      if (part_ == parts_.size()) return;
      const uint64_t n = std::min<uint64_t>(bytes.size(), parts_[part_] - filled_);
      running_.update(bytes.substr(0, n));
      filled_ += n;
      bytes.remove_prefix(n);
    }
    running_.update(bytes);
  }

  // Once everything was given.
  std::string etag() {
    if (parts_.empty()) return hex(as_bytes(running_.finish()));
    while (part_ < parts_.size()) end_part();
    return hex(as_bytes(Digest::of(DigestKind::kMd5, as_bytes(all_)))) + "-" + std::to_string(parts_.size());
  }

 private:
  void end_part() {
    all_ += running_.finish();
    filled_ = 0;
    ++part_;
  }

  const std::vector<uint64_t> parts_;
  size_t part_ = 0;
  uint64_t filled_ = 0;  // of the part
  Digest running_{DigestKind::kMd5};
  std::string all_;
};

}  // namespace holdfast
