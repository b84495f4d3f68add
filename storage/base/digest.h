// Message digests over OpenSSL's EVP interface.
#pragma once

#include <memory>
#include <string>

#include "storage/base/bytes.h"

struct evp_md_ctx_st;

namespace holdfast {

enum class DigestKind { kMd5, kSha1, kSha256, kSha512 };

// One running digest. Not thread-safe. After finish() it starts anew.
class Digest {
 public:
  explicit Digest(DigestKind kind);
  Digest(Digest&&) = default;
  Digest& operator=(Digest&&) = default;

  void update(ByteSpan bytes);
  void update(std::string_view text) { update(as_bytes(text)); }
  std::string finish();  // raw bytes: 16, 20, 32 or 64

  static std::string of(DigestKind kind, ByteSpan bytes);

 private:
  struct Free {
    void operator()(evp_md_ctx_st* ctx) const;
  };
  DigestKind kind_;
  std::unique_ptr<evp_md_ctx_st, Free> ctx_;
};

std::string sha256_hex(std::string_view text);
std::string hmac_sha256(std::string_view key, std::string_view text);  // 32 raw bytes

}  // namespace holdfast
