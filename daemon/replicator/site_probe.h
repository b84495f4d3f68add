// What a site can do, found out by doing it.
#pragma once

#include "daemon/sites.h"
#include "storage/base/random.h"
#include "storage/remote_store.h"

namespace holdfast {

// Leaves nothing behind at a site that does what it says.
SiteFindings probe_site(RemoteStore& site, Random& random);

}  // namespace holdfast
