#include "daemon/identity.h"

#include <array>
#include <cstdlib>

#include "storage/base/bytes.h"

namespace holdfast {

namespace {

constexpr const char* kId = "appliance/id";
constexpr const char* kLife = "appliance/generation";
constexpr unsigned kLivesOfOne = 32;  // bits

uint64_t life(const SettingsStore& settings) { return std::strtoull(settings.setting(kLife).value_or("0").c_str(), nullptr, 10); }

}  // namespace

Result<std::string> appliance_id(SettingsStore& settings, Random& random) {
  std::string id = settings.setting(kId).value_or("");
  if (!id.empty()) return id;
  std::array<std::byte, 8> bytes;
  random.fill(bytes);
  id = "holdfast-" + hex(bytes);
  HF_CHECK(settings.put_setting(kId, id));
  return id;
}

Result<uint64_t> begin_life(SettingsStore& settings) {
  const uint64_t now = life(settings) + 1;
  HF_CHECK(settings.put_setting(kLife, std::to_string(now)));
  return now;
}

Result<void> raise_lives(SettingsStore& settings, uint64_t generation) {
  const uint64_t least = generation << kLivesOfOne;
  if (life(settings) >= least) return {};
  return settings.put_setting(kLife, std::to_string(least));
}

}  // namespace holdfast
