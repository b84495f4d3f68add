// Randomness, passed in so that tests repeat from a seed.
#pragma once

#include <cstdint>
#include <mutex>
#include <random>

#include "storage/base/bytes.h"

namespace holdfast {

// Thread-safe.
class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(MutableByteSpan out) = 0;
};

// OpenSSL's generator: fit for keys.
class SystemRandom final : public Random {
 public:
  void fill(MutableByteSpan out) override;
};

// Repeatable; for tests alone.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : engine_(seed) {}
  void fill(MutableByteSpan out) override;

 private:
  std::mutex mutex_;
  std::mt19937_64 engine_;
};

}  // namespace holdfast
