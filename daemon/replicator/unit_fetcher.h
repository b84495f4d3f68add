// Brings a restore point back from a site, as it was when it was copied.
#pragma once

#include "daemon/replicator/unit_copier.h"

namespace holdfast {

// Blocks. What is here already, from a try that was cut off, is not fetched again; velero-backup.json comes last. kAlreadyExists: there is a
// restore point of that name here; kCorrupt: the site gives other bytes than it got.
Result<void> fetch_unit(RemoteStore& site, const SiteUnit& unit, const CopySource& into, CopyLimits limits, CopyProgress& progress, const std::stop_token& stop);

}  // namespace holdfast
