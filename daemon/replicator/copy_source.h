// What is copied from, how far a copy is, and what it may use.
#pragma once

#include <atomic>
#include <string>

#include "storage/object_store.h"

namespace holdfast {

struct CopySource {
  ObjectStore* store = nullptr;
  std::string bucket;
  std::string prefix;  // "clusters/NAME/": what lies under it has the same names at the site
};

struct CopyProgress {
  std::atomic<uint64_t> objects{0}, objects_done{0}, bytes{0}, bytes_done{0};
};

struct CopyLimits {
  unsigned transfers = 16;
  uint64_t memory_bytes = 96 << 20;  // of all transfers together; at least one part
};

}  // namespace holdfast
