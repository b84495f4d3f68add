// AES-256-GCM (NIST SP 800-38D) and the keys that it takes.
#pragma once

#include <array>

#include "storage/base/body_ref.h"
#include "storage/base/bytes.h"
#include "storage/base/random.h"

namespace holdfast {

// 256 bits, wiped when destroyed.
class SecretKey {
 public:
  static constexpr size_t kBytes = 32;
  SecretKey() = default;
  SecretKey(const SecretKey&) = default;
  SecretKey& operator=(const SecretKey&) = default;
  ~SecretKey();

  static SecretKey random(Random& random);
  static Result<SecretKey> from_bytes(ByteSpan bytes);
  ByteSpan bytes() const { return bytes_; }

 private:
  std::array<std::byte, kBytes> bytes_{};
};

using Nonce = std::array<std::byte, 12>;
// A nonce from a number that is never used twice under one key.
Nonce counter_nonce(uint64_t counter);

// Encrypts `plain` into `cipher` (same size; may be the same memory) and writes the tag.
void aead_seal(const SecretKey& key, const Nonce& nonce, ByteSpan aad, ByteSpan plain, MutableByteSpan cipher,
               std::span<std::byte, kTagBytes> tag);

// Decrypts and checks. False, with `plain` undefined, when key, nonce, aad, cipher or tag do not belong together.
[[nodiscard]] bool aead_open(const SecretKey& key, const Nonce& nonce, ByteSpan aad, ByteSpan cipher,
                             std::span<const std::byte, kTagBytes> tag, MutableByteSpan plain);

// A key sealed by another one under a random nonce: 12 bytes nonce, 32 cipher, 16 tag.
std::string wrap_key(const SecretKey& with, const SecretKey& key, std::string_view context, Random& random);
Result<SecretKey> unwrap_key(const SecretKey& with, std::string_view wrapped, std::string_view context);

// The same for short secrets of any length.
std::string seal_text(const SecretKey& with, std::string_view plain, std::string_view context, Random& random);
Result<std::string> open_text(const SecretKey& with, std::string_view sealed, std::string_view context);

}  // namespace holdfast
