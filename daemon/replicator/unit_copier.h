// Copies one restore point to a site, object by object, part by part, and makes it visible there last.
#pragma once

#include <atomic>
#include <stop_token>

#include "daemon/replicator/site_unit.h"
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

// Blocks. What is there already, from a copy that was cut off, is not sent again. Data first, velero-backup.json when everything
// else is seen there with its size, the marker last. kNotFound: there is no such restore point here; kAlreadyExists: another
// appliance has copied one of that name; else an error of either side.
Result<void> copy_unit(const CopySource& source, RemoteStore& site, const SiteUnit& unit, CopyLimits limits, CopyProgress& progress, const std::stop_token& stop);

// The marker first, then velero-backup.json, then the other objects that the marker names: nothing else.
Result<void> remove_unit(RemoteStore& site, const SiteUnit& unit);

}  // namespace holdfast
