// Compressed copies of the index in the log: they make a rebuild fast, and are never the only truth.
#pragma once

#include <stop_token>

#include "storage/log/bulk_stream.h"
#include "storage/log/superblock.h"

namespace holdfast {

class Pool;

// Writes a snapshot into the pool, names it in the superblock and lets the oldest of three go.
// `scratch_path`: a file beside the index, removed afterwards.
// It takes its time: what it writes leaves room for requests. kUnavailable when asked to stop.
Result<void> take_snapshot(Pool& pool, const std::string& scratch_path, std::stop_token stop = {});

// Unpacks a snapshot into a new file. kCorrupt when a block fails its check.
Result<void> restore_snapshot(const Volume& volume, const SnapshotRef& snapshot, const std::string& path);

// Counts the snapshot's segments as used, and back.
void hold_snapshot(const Volume& volume, const SnapshotRef& snapshot);
void release_snapshot(const Volume& volume, const SnapshotRef& snapshot);

}  // namespace holdfast
