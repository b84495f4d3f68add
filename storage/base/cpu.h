// Which instructions of the processor the kernels of hashes and ciphers may use.
#pragma once

#include <string_view>

#include "storage/base/status.h"

namespace holdfast {

enum class CpuLevel {
  kBaseline,  // what every processor of its kind has; libraries still choose for themselves
  kAvx2,
  kAvx512,    // F, VL, BW and VPCLMULQDQ: Intel from Ice Lake on, AMD from Zen 4 on
};

// What this processor has, and limit_cpu() allows.
CpuLevel cpu_level();

// For tests, and against a processor that does something wrong. Before anything is hashed or encrypted, and before other threads start.
void limit_cpu(CpuLevel most);

// "baseline", "avx2", "avx512".
Result<CpuLevel> parse_cpu_level(std::string_view name);

}  // namespace holdfast
