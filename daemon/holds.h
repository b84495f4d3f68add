// Restore points that stay whatever rule or TTL says, because somebody brought them here; in the settings.
#pragma once

#include <string>

#include "storage/bucket_store.h"

namespace holdfast {

// Until it is released, or deleted by hand.
Result<void> hold_point(SettingsStore& settings, const std::string& cluster, const std::string& backup, const std::string& why);
Result<void> release_point(SettingsStore& settings, const std::string& cluster, const std::string& backup);
// Empty: it is not held.
std::string why_held(const SettingsStore& settings, const std::string& cluster, const std::string& backup);

}  // namespace holdfast
