// Counters and histograms in Prometheus' text format.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <mutex>

#include "daemon/services.h"

namespace holdfast {

// Thread-safe.
class Metrics {
 public:
  void count_request(const std::string& operation, unsigned status, double seconds, uint64_t received_bytes);
  void count_corruption() { ++corruptions_; }
  // The whole page; pool figures are read at that moment.
  std::string render(const Services& services) const;

 private:
  static constexpr std::array<double, 12> kBounds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                                     0.05,   0.1,   0.25,   1.0,   2.5,  10.0};
  struct Operation {
    std::map<unsigned, uint64_t> by_status;
    std::array<uint64_t, kBounds.size() + 1> buckets{};
    double seconds = 0;
    uint64_t received_bytes = 0;
  };
  mutable std::mutex mutex_;
  std::map<std::string, Operation> operations_;
  std::atomic<uint64_t> corruptions_{0};
};

}  // namespace holdfast
