// Reads a restore point to its end: is everything there that a restore from it needs?
#pragma once

#include <stop_token>

#include "k8s/backup_engine.h"

namespace holdfast::k8s {

struct PointCheck {
  uint64_t objects = 0, bytes = 0;  // in the bucket
  uint64_t items = 0;               // of the cluster, in the archive
  uint64_t problems = 0;
  std::vector<std::string> damage;  // the first 100 problems, a sentence each; empty: it is whole
};

// Every object of the restore point is read, which checks its stored checksum; what is packed is unpacked; the objects in
// the archive and those in the resource list must be the same. kNotFound: there is no such restore point; kUnavailable:
// stopped. Memory: about 40 MiB and 200 bytes an object.
Result<PointCheck> check_point(const BackupPlace& place, const std::string& name, std::stop_token stop);

}  // namespace holdfast::k8s
