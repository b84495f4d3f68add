// Applies facts to the tables, inside one transaction. Private to storage/index.
#pragma once

#include <map>

#include "storage/index/index.h"

namespace holdfast {

class Index::Writer {
 public:
  Writer(Database& db, uint32_t block_bytes) : db_(db), block_bytes_(block_bytes) {}

  Result<void> apply(const IndexEntry& entry);
  // After the last entry: brings the usage table up to date.
  Result<void> finish(const IndexEntry& last);
  std::vector<FreedBytes> take_freed() { return std::move(freed_); }

 private:
  Result<void> apply(const Nothing&, const RecordAddress&) { return {}; }
  Result<void> apply(const EpochStart&, const RecordAddress&) { return {}; }
  Result<void> apply(const VersionPut& fact, const RecordAddress& home);
  Result<void> apply(const VersionRemove& fact, const RecordAddress& home);
  Result<void> apply(const VersionAttributes& fact, const RecordAddress& home);
  Result<void> apply(const BucketPut& fact, const RecordAddress& home);
  Result<void> apply(const BucketRemove& fact, const RecordAddress& home);
  Result<void> apply(const UploadPut& fact, const RecordAddress& home);
  Result<void> apply(const UploadRemove& fact, const RecordAddress& home);
  Result<void> apply(const UploadDone& fact, const RecordAddress& home);
  Result<void> apply(const PartPut& fact, const RecordAddress& home);
  Result<void> apply(const UserPut& fact, const RecordAddress& home);
  Result<void> apply(const UserRemove& fact, const RecordAddress& home);
  Result<void> apply(const SettingPut& fact, const RecordAddress& home);

  Result<void> insert_version(const VersionPut& fact, const RecordAddress& home, bool latest);
  // Removes the row and frees what it used; false when there is none.
  Result<bool> drop_version(BucketId bucket, std::string_view key, VersionSeq seq);
  Result<void> promote_newest(BucketId bucket, std::string_view key);
  Result<void> drop_upload(std::string_view id, const std::vector<StoredPart>* kept);
  Result<void> add_extents(const std::vector<StoredPart>& parts, BucketId bucket, std::string_view owner,
                           uint64_t number, bool is_part);
  Result<void> free_extents(const std::vector<StoredPart>& parts);
  Result<void> free_home(ByteSpan home);
  // Frees the home of the row that `select` finds, if any.
  Result<void> free_home_of(Statement& select);
  void use(uint32_t segment, Generation generation, uint64_t bytes);
  void free(uint32_t segment, Generation generation, uint64_t bytes);

  Database& db_;
  const uint32_t block_bytes_;
  std::vector<FreedBytes> freed_;
  std::map<std::pair<uint32_t, Generation>, int64_t> delta_;
};

}  // namespace holdfast
