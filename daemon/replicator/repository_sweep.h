// Removes from a site what no restore point there needs of a repository any more.
#pragma once

#include <stop_token>

#include "daemon/replicator/repository_list.h"

namespace holdfast {

// kopia itself waits for so long before it removes what nothing names: a client may be about to.
inline constexpr int64_t kYoungBlobMs = 48LL * 3600 * 1000;
// What was begun and never ended counts as needed for so long: a copy may take weeks.
inline constexpr int64_t kForgottenCopyMs = 30LL * 24 * 3600 * 1000;

// Blocks. Of all repositories of a cluster: lists whose restore points are no more count as removed; where the restore point that was live is one
// of them, the newest one becomes live; then what removed lists name, no other list does, and is older than kYoungBlobMs, is removed.
// No copy by this appliance may run meanwhile; another appliance's sees what it does. kUnavailable: another appliance may be at it.
Result<void> sweep_repositories(RemoteStore& site, const std::string& cluster, const std::stop_token& stop);

// Is somebody at it, or was cut off not long ago? What was cut off long ago is forgotten.
Result<bool> is_being_swept(RemoteStore& site, const RepositoryPlace& place);

}  // namespace holdfast
