// AES-256-GCM through Intel's multi-buffer library, whose code for processors with VAES and VPCLMULQDQ takes four blocks in one register:
// about three times the rate of OpenSSL 3.0. Private to storage/crypto.
#pragma once

#include "storage/crypto/aead.h"

namespace holdfast {

// Whether this build and the processor have it, and limit_cpu() allows it.
bool has_wide_gcm();

// As aead_seal(). Thread-safe; only if has_wide_gcm().
void wide_gcm_seal(const SecretKey& key, const Nonce& nonce, ByteSpan aad, ByteSpan plain, MutableByteSpan cipher, std::span<std::byte, kTagBytes> tag);

// As aead_open().
[[nodiscard]] bool wide_gcm_open(const SecretKey& key, const Nonce& nonce, ByteSpan aad, ByteSpan cipher, std::span<const std::byte, kTagBytes> tag, MutableByteSpan plain);

}  // namespace holdfast
