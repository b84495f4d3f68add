// Who this appliance is, in its settings.
#pragma once

#include <string>

#include "storage/base/random.h"
#include "storage/bucket_store.h"

namespace holdfast {

// "holdfast-" and 16 hexadecimal digits; made at the first call. A recovered appliance keeps it.
Result<std::string> appliance_id(SettingsStore& settings, Random& random);

// Each start of an appliance is a life of it: the number is higher than that of all before, also of those before a recovery.
Result<uint64_t> begin_life(SettingsStore& settings);
// Later lives are beyond all those of earlier generations of the appliance.
Result<void> raise_lives(SettingsStore& settings, uint64_t generation);

}  // namespace holdfast
