// Re-reads a copy at a site and compares it with what its marker says was copied.
#pragma once

#include <stop_token>

#include "daemon/replicator/copy_source.h"
#include "daemon/replicator/site_unit.h"

namespace holdfast {

// Blocks; reads every byte, of its repositories only with `volumes`: else their blobs are looked for, with their sizes. What is wrong, a line an object; empty: everything is there as it was copied. An error: that could not
// be found out.
Result<std::vector<std::string>> check_unit(RemoteStore& site, const SiteUnit& unit, bool volumes, CopyProgress& progress, const std::stop_token& stop);

}  // namespace holdfast
