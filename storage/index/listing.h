// Questions and answers of the listings. Keys are compared as bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/types.h"

namespace holdfast {

struct ListQuery {
  BucketId bucket = 0;
  std::string prefix;
  std::string delimiter;          // any bytes; empty: none
  std::string after_key;          // starts behind this key, or behind this common prefix
  std::optional<VersionSeq> after_seq;  // all_versions: starts behind this version of after_key
  uint32_t max = 1000;            // entries and common prefixes together
  bool all_versions = false;      // else current versions that are no delete markers
};

struct ListPage {
  std::vector<ObjectInfo> entries;
  std::vector<std::string> common_prefixes;
  bool truncated = false;
  std::string next_key;        // of the last entry or common prefix given, when truncated
  std::optional<VersionSeq> next_seq;
};

struct UploadQuery {
  BucketId bucket = 0;
  std::string prefix;
  std::string delimiter;
  std::string after_key;
  std::string after_id;
  uint32_t max = 1000;
};

struct UploadPage {
  std::vector<Upload> uploads;
  std::vector<std::string> common_prefixes;
  bool truncated = false;
  std::string next_key;
  std::string next_id;
};

// The common prefix that `key` falls under, or empty.
std::string common_prefix_of(std::string_view key, std::string_view prefix, std::string_view delimiter);

// The first byte string behind every one that starts with `prefix`; empty when there is none.
std::string successor_of_prefix(std::string prefix);

}  // namespace holdfast
