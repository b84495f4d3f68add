#include "k8s/time_zone.h"

#include <date/tz.h>

#include <exception>

namespace holdfast::k8s {

Result<TimeZone> TimeZone::find(const std::string& name) {
  try {
    return TimeZone(date::locate_zone(name));
  } catch (const std::exception&) {
    return error(Code::kInvalidArgument, "there is no time zone \"" + name + "\"");
  }
}

TimeZone::LocalMinutes TimeZone::local(std::chrono::sys_seconds when) const {
  return std::chrono::floor<std::chrono::minutes>(when.time_since_epoch() + zone_->get_info(when).offset);
}

std::vector<std::chrono::sys_seconds> TimeZone::instants(LocalMinutes local, bool& left_out) const {
  const date::local_seconds shown{std::chrono::duration_cast<std::chrono::seconds>(local)};
  const date::local_info info = zone_->get_info(shown);
  const auto by = [&](const date::sys_info& rule) { return std::chrono::sys_seconds(shown.time_since_epoch() - rule.offset); };
  left_out = info.result == date::local_info::nonexistent;
  if (left_out) return {info.first.end};
  if (info.result == date::local_info::ambiguous) return {by(info.first), by(info.second)};
  return {by(info.first)};
}

}  // namespace holdfast::k8s
