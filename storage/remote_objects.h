// An S3 bucket elsewhere as an object store, as far as backups and restores need one.
#pragma once

#include <memory>

#include "storage/object_store.h"
#include "storage/remote_store.h"

namespace holdfast {

// Thread-safe, and as RemoteStore says otherwise. Of each object the current version alone: `seq` is made of its ETag and time. Writes take one
// ETag as a condition, or that nothing is there. Bodies are held in memory, 64 MiB at most: larger objects go in parts. Objects are read
// 4 MiB at a time, and every piece is of the version that was opened: else kFailedPrecondition. kUnimplemented: attributes cannot be
// changed, and versions and parts cannot be listed.
std::shared_ptr<ObjectStore> remote_objects(std::shared_ptr<RemoteStore> remote);

}  // namespace holdfast
