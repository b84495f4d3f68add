// Does anybody else write into the cluster's own part of the bucket while this server does?
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "storage/base/clock.h"
#include "storage/base/status.h"

namespace holdfast::k8s {

// look() from one thread, alarm() from any.
class OtherWriters {
 public:
  explicit OtherWriters(Clock& clock) : clock_(clock) {}

  // All restore points that there are. `term`: another one each time that this server begins to serve; what is there then
  // may be anybody's. `writer_of`: who made one, for those that have come since; nothing: it is none yet. Empty: this server.
  Result<void> look(const std::vector<std::string>& names, int64_t term,
                    const std::function<Result<std::optional<std::string>>(const std::string& name)>& writer_of);
  // What was found within the last day; empty: nothing.
  std::string alarm() const;

 private:
  Clock& clock_;
  std::optional<int64_t> term_;
  std::set<std::string> known_;
  mutable std::mutex mutex_;
  std::string found_;
  int64_t found_ms_ = 0;
};

}  // namespace holdfast::k8s
