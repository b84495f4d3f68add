// The indexes of one restore point beside the packs of all: a repository that kopia can open where it lies.
#pragma once

#include "daemon/replicator/repository_list.h"

namespace holdfast {

// Blocks. New indexes first, from where those of all restore points are kept, then kopia.*, then the indexes of whichever was live before go:
// in between it has those of both, which of one history is the newer. What others have put there stays. `key`: of the list; `source`: the appliance
// that copied it; empty: it is not known, and the one before. kAlreadyExists: somebody else has a repository there.
Result<void> lay_live(RemoteStore& site, const RepositoryPlace& place, const RepositoryList& list, const std::string& key, const std::string& source);

// The key of the list that is live there; empty: none is, or not wholly.
Result<std::string> live_list(RemoteStore& site, const RepositoryPlace& place);

// kopia.* first, so that nothing opens it, then the indexes that lay_live() put there.
Result<void> clear_live(RemoteStore& site, const RepositoryPlace& place);

}  // namespace holdfast
