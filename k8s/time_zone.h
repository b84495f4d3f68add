// Local times of the zones of the IANA database, as the host has it.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/status.h"

namespace date {
class time_zone;
}

namespace holdfast::k8s {

// A value; the database behind it stays for the life of the process. Thread-safe.
class TimeZone {
 public:
  using LocalMinutes = std::chrono::minutes;  // since 1970-01-01 00:00 on the zone's clocks

  // "Europe/Paris". kInvalidArgument: there is none of that name.
  static Result<TimeZone> find(const std::string& name);

  // What the clocks show then.
  LocalMinutes local(std::chrono::sys_seconds when) const;
  // When they show it: once; twice in an hour that is put back; for times that are left out when they are put forward the moment
  // at which that happens, and `left_out` is set.
  std::vector<std::chrono::sys_seconds> instants(LocalMinutes local, bool& left_out) const;

 private:
  explicit TimeZone(const date::time_zone* zone) : zone_(zone) {}
  const date::time_zone* zone_;
};

}  // namespace holdfast::k8s
