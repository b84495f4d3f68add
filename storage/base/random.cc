#include "storage/base/random.h"

#include <openssl/rand.h>

#include <cstdlib>

namespace holdfast {

void SystemRandom::fill(MutableByteSpan out) {
  // Without randomness no key is safe: there is nothing sensible to go on with.
  if (RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size())) != 1) std::abort();
}

void SeededRandom::fill(MutableByteSpan out) {
  std::lock_guard lock(mutex_);
  for (std::byte& b : out) b = static_cast<std::byte>(engine_());
}

}  // namespace holdfast
