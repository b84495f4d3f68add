// Copies a kopia repository to a site as it is at one moment, while clients write to it and kopia's maintenance removes from it.
#pragma once

#include <stop_token>

#include "daemon/replicator/copy_source.h"
#include "daemon/replicator/repository_list.h"

namespace holdfast {

// Blocks. First the list of what is copied, then packs and indexes that the site lacks, then kopia.*; at the end everything that was listed has to be
// here still: else it begins again with a new list, so that what is copied was there all at one time. Afterwards it is live there if
// no restore point that began later is. kNotFound: there is no such repository here; kUnavailable: it changes faster than it can be copied.
Result<RepositoryRef> copy_repository(const CopySource& source, RemoteStore& site, const SiteUnit& unit, const std::string& repository, CopyLimits limits, CopyProgress& progress,
                                      const std::stop_token& stop);

// After the marker is written: whether everything that the list names is there, and nobody is removing blobs.
Result<bool> repository_stays(RemoteStore& site, const SiteUnit& unit, const RepositoryRef& ref);

// When the marker is there for good: it is no longer copied, and earlier lists of the same backup are not needed.
Result<void> end_repository_copy(RemoteStore& site, const SiteUnit& unit, const RepositoryRef& ref);

}  // namespace holdfast
