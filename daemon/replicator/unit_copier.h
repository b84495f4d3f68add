// Copies one restore point to a site, object by object, part by part, and makes it visible there last.
#pragma once

#include <stop_token>

#include "daemon/replicator/copy_source.h"
#include "daemon/replicator/site_unit.h"

namespace holdfast {

// Blocks. What is there already, from a copy that was cut off, is not sent again. Data first, velero-backup.json when everything
// else is seen there with its size, the marker last. kNotFound: there is no such restore point here; kAlreadyExists: another
// appliance has copied one of that name; else an error of either side. One that is to be locked gets the marker that says so when everything
// is: kFailedPrecondition where the site does not lock.
Result<void> copy_unit(const CopySource& source, RemoteStore& site, const SiteUnit& unit, CopyLimits limits, CopyProgress& progress, const std::stop_token& stop);

// The marker first, then velero-backup.json, then the other objects that the marker names: nothing else. What it needed of repositories
// goes with the next sweep_repositories(). kPermissionDenied (kLock): it is locked, and nothing was changed.
Result<void> remove_unit(RemoteStore& site, const SiteUnit& unit);

}  // namespace holdfast
