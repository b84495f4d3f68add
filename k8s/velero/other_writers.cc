#include "k8s/velero/other_writers.h"

#include "storage/base/log.h"

namespace holdfast::k8s {

namespace {
constexpr int64_t kAlarmMs = 24LL * 3'600'000;
}

Result<void> OtherWriters::look(const std::vector<std::string>& names, int64_t term,
                                const std::function<Result<std::optional<std::string>>(const std::string& name)>& writer_of) {
  if (term_ != term) {
    term_ = term;
    known_ = {names.begin(), names.end()};
    return {};
  }
  std::set<std::string> now;
  for (const std::string& name : names) {
    if (!known_.contains(name)) {
      HF_TRY(const auto writer, writer_of(name));
      if (!writer) continue;
      if (!writer->empty()) {
        std::lock_guard lock(mutex_);
        found_ = "another server writes into this location: restore point " + name + " is of " + *writer;
        found_ms_ = clock_.monotonic_ms();
        spdlog::error("{}", found_);
      }
    }
    now.insert(name);
  }
  known_ = std::move(now);
  return {};
}

std::string OtherWriters::alarm() const {
  std::lock_guard lock(mutex_);
  return found_.empty() || clock_.monotonic_ms() - found_ms_ > kAlarmMs ? std::string() : found_;
}

}  // namespace holdfast::k8s
