#include "storage/base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>

namespace holdfast {

static const EVP_MD* algorithm(DigestKind kind) {
  // Fetched once: an implicit fetch costs more than a small digest.
  static EVP_MD* const md5 = EVP_MD_fetch(nullptr, "MD5", nullptr);
  static EVP_MD* const sha1 = EVP_MD_fetch(nullptr, "SHA1", nullptr);
  static EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  static EVP_MD* const sha512 = EVP_MD_fetch(nullptr, "SHA512", nullptr);
  switch (kind) {
    case DigestKind::kMd5: return md5;
    case DigestKind::kSha1: return sha1;
    case DigestKind::kSha256: return sha256;
    case DigestKind::kSha512: return sha512;
  }
  return nullptr;
}

// Between two digests nothing is in it. Making one, and what HMAC() of OpenSSL looks up each time, costs more than hashing a few blocks.
static Digest& of_thread(DigestKind kind) {
  thread_local std::array<Digest, 4> digests{Digest(DigestKind::kMd5), Digest(DigestKind::kSha1), Digest(DigestKind::kSha256), Digest(DigestKind::kSha512)};
  return digests[static_cast<size_t>(kind)];
}

void Digest::Free::operator()(evp_md_ctx_st* ctx) const { EVP_MD_CTX_free(ctx); }

Digest::Digest(DigestKind kind) : kind_(kind), ctx_(EVP_MD_CTX_new()) {
  EVP_DigestInit_ex2(ctx_.get(), algorithm(kind_), nullptr);
}

void Digest::update(ByteSpan bytes) { EVP_DigestUpdate(ctx_.get(), bytes.data(), bytes.size()); }

std::string Digest::finish() {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned n = 0;
  EVP_DigestFinal_ex(ctx_.get(), out, &n);
  EVP_DigestInit_ex2(ctx_.get(), algorithm(kind_), nullptr);
  return std::string(reinterpret_cast<char*>(out), n);
}

std::string Digest::of(DigestKind kind, ByteSpan bytes) {
  Digest& digest = of_thread(kind);
  digest.update(bytes);
  return digest.finish();
}

std::string sha256_hex(std::string_view text) {
  return hex(as_bytes(Digest::of(DigestKind::kSha256, as_bytes(text))));
}

// RFC 2104.
std::string hmac_sha256(std::string_view key, std::string_view text) {
  constexpr size_t kBlockBytes = 64;
  std::array<char, kBlockBytes> inner{}, outer{};
  const std::string hashed = key.size() > kBlockBytes ? Digest::of(DigestKind::kSha256, as_bytes(key)) : std::string();
  if (!hashed.empty()) key = hashed;
  std::copy(key.begin(), key.end(), inner.begin());
  std::copy(key.begin(), key.end(), outer.begin());
  for (char& c : inner) c ^= 0x36;
  for (char& c : outer) c ^= 0x5c;
  Digest& digest = of_thread(DigestKind::kSha256);
  digest.update(std::string_view(inner.data(), inner.size()));
  digest.update(text);
  const std::string inside = digest.finish();
  digest.update(std::string_view(outer.data(), outer.size()));
  digest.update(inside);
  OPENSSL_cleanse(inner.data(), inner.size());
  OPENSSL_cleanse(outer.data(), outer.size());
  return digest.finish();
}

}  // namespace holdfast
