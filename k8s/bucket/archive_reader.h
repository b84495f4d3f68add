// Reads the archive of a restore point, B.tar.gz, from beginning to end. It may come from anybody: what does not belong
// in such an archive is refused.
#pragma once

#include <string>

#include "k8s/bucket/gunzip_stream.h"
#include "storage/object_store.h"

namespace holdfast::k8s {

struct ArchiveLimits {
  uint64_t entry_bytes = 16 << 20;
  uint64_t total_bytes = 32ULL << 30;  // unpacked
  uint64_t entries = 20'000'000;
};

// One regular file; both are valid during the call. Its error ends the reading and is returned.
using OnEntry = std::function<Result<void>(const std::string& path, std::string_view content)>;

// kCorrupt: not a tar.gz, damaged, cut off, something else than files and directories in it, a path that leads out of
// it, or more than `limits` allow. Entries that were passed on before that came from the same bad archive.
Result<void> read_archive(GunzipStream::Source source, const ArchiveLimits& limits, const OnEntry& on_entry);
// The bytes of an object as a source. `reader` must outlive it.
GunzipStream::Source object_source(ObjectReader& reader);

}  // namespace holdfast::k8s
