// Brings a restore point back from a site, as it was when it was copied.
#pragma once

#include <stop_token>

#include "daemon/replicator/copy_source.h"
#include "daemon/replicator/site_unit.h"

namespace holdfast {

// Blocks. What is here already, from a try that was cut off, is not fetched again; velero-backup.json comes last. The repositories with the data of its
// volumes come back, too, unless `volumes` is false. kAlreadyExists: there is a restore point of that name here, or such a repository,
// which has gone its own way since; kCorrupt: the site gives other bytes than it got.
Result<void> fetch_unit(RemoteStore& site, const SiteUnit& unit, bool volumes, const CopySource& into, CopyLimits limits, CopyProgress& progress, const std::stop_token& stop);

}  // namespace holdfast
