#include "storage/base/cpu.h"

#include <algorithm>
#include <string>

namespace holdfast {

namespace {

CpuLevel detect() {
#ifdef __x86_64__
  const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("vpclmulqdq");
  if (wide) return CpuLevel::kAvx512;
  if (__builtin_cpu_supports("avx2")) return CpuLevel::kAvx2;
#endif
  return CpuLevel::kBaseline;
}

CpuLevel most_allowed = CpuLevel::kAvx512;

}  // namespace

CpuLevel cpu_level() {
  static const CpuLevel level = detect();
  return std::min(level, most_allowed);
}

void limit_cpu(CpuLevel most) { most_allowed = most; }

Result<CpuLevel> parse_cpu_level(std::string_view name) {
  if (name == "baseline") return CpuLevel::kBaseline;
  if (name == "avx2") return CpuLevel::kAvx2;
  if (name == "avx512") return CpuLevel::kAvx512;
  return error(Code::kInvalidArgument, "\"" + std::string(name) + "\" is no level of processor: baseline, avx2 or avx512");
}

}  // namespace holdfast
