// A copy at a site as a store that can be read, so that a restore needs nothing of it here.
#pragma once

#include <memory>

#include "daemon/replicator/site_unit.h"
#include "storage/object_store.h"

namespace holdfast {

// What the marker of a unit names, under the keys that it has at the site, in whatever bucket is asked for; not its repositories. Objects that are
// read from beginning to end are compared with what was copied: the last read of one with other bytes gives kCorrupt. Writes are
// kFailedPrecondition. Each reader holds one part of its object, or 8 MiB.
Result<std::shared_ptr<ObjectStore>> open_unit(std::shared_ptr<RemoteStore> site, const SiteUnit& unit);

}  // namespace holdfast
