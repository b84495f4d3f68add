#include "daemon/holds.h"

namespace holdfast {

namespace {
std::string name_of(const std::string& cluster, const std::string& backup) { return "held/" + cluster + "/" + backup; }
}  // namespace

Result<void> hold_point(SettingsStore& settings, const std::string& cluster, const std::string& backup, const std::string& why) {
  return settings.put_setting(name_of(cluster, backup), why);
}

Result<void> release_point(SettingsStore& settings, const std::string& cluster, const std::string& backup) {
  if (why_held(settings, cluster, backup).empty()) return {};
  return settings.put_setting(name_of(cluster, backup), "");
}

std::string why_held(const SettingsStore& settings, const std::string& cluster, const std::string& backup) {
  return settings.setting(name_of(cluster, backup)).value_or("");
}

}  // namespace holdfast
