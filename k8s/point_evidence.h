// What was found out about a restore point by trying; kept with it, in holdfast-evidence.json.
#pragma once

#include <optional>

#include "k8s/backup_engine.h"

namespace holdfast::k8s {

struct Evidence {
  bool good = false;
  int64_t finished_ms = 0;  // Unix time
  int64_t took_ms = 0;
  int64_t ready_ms = 0;     // level restore: until what was restored was ready
  std::string cluster;      // level restore: where it was tried
  uint64_t items = 0;       // that were read, or restored
  std::vector<std::string> problems;
};

// The latest of each level.
struct PointEvidence {
  std::optional<Evidence> read, restore;

  // It restores: that was tried last with success.
  bool verified() const { return restore && restore->good; }
  // What was tried last with a level failed.
  bool doubted() const { return (read && !read->good) || (restore && !restore->good); }
};

// Empty where there is none. kCorrupt: it cannot be read.
Result<PointEvidence> read_evidence(const BackupPlace& place, const std::string& name);
// kNotFound: there is no such restore point.
Result<void> write_evidence(const BackupPlace& place, const std::string& name, const PointEvidence& evidence);

}  // namespace holdfast::k8s
