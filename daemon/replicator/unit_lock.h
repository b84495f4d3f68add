// Object Lock for restore points at sites: what is locked, and how what somebody hid in spite of it comes to light again.
#pragma once

#include <stop_token>

#include "daemon/replicator/copy_source.h"
#include "daemon/replicator/site_unit.h"

namespace holdfast {

// Until when a copy made now is locked, whose restore point began then: lock_end_ms(), or 0, not at all, where that time is over or nearly so.
int64_t lock_end(int64_t lock_ms, int64_t started_ms, int64_t now_ms);

// Locks, until unit.locked_until_ms, everything that a unit consists of but its marker: what its marker names and the blobs of its repositories,
// which thereby are locked for the one that ends last. kFailedPrecondition: the site does not lock.
Result<void> lock_unit(RemoteStore& site, const SiteUnit& unit, const UnitContents& contents, CopyLimits limits, const std::stop_token& stop);

// Locked copies whose markers somebody removed.
Result<std::vector<SiteUnit>> list_hidden_units(RemoteStore& site);

// Removes what stands above the versions that a locked copy is made of, delete markers and other bytes: then it is as it was copied. The
// marker comes last. kNotFound: no locked copy of it is known there; kCorrupt: something of it is gone for good.
Result<void> unhide_unit(RemoteStore& site, const std::string& cluster, const std::string& backup, CopyProgress& progress, const std::stop_token& stop);

}  // namespace holdfast
