// A restore point at a site, laid out in a prefix of its own there: with its repositories as they were when it was copied, whatever
// has become of them since.
#pragma once

#include <stop_token>

#include "daemon/replicator/copy_source.h"
#include "daemon/replicator/site_unit.h"

namespace holdfast {

std::string layout_prefix(const std::string& cluster, const std::string& backup);  // laid-out/CLUSTER/BACKUP/

// Blocks. The site copies, nothing goes over the link; velero-backup.json comes last. What is there already, from a try that was cut off,
// is not copied again. kCorrupt: the site no longer has what was copied there.
Result<void> lay_out_unit(RemoteStore& site, const SiteUnit& unit, CopyLimits limits, CopyProgress& progress, const std::stop_token& stop);

// Everything under its prefix, also what Velero wrote there meanwhile. kNotFound: it is not laid out.
Result<void> clear_layout(RemoteStore& site, const std::string& cluster, const std::string& backup);

// What is laid out, wholly or in part.
Result<std::vector<SiteLayout>> list_layouts(RemoteStore& site);

}  // namespace holdfast
