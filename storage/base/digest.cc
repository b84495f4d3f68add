#include "storage/base/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

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
  Digest digest(kind);
  digest.update(bytes);
  return digest.finish();
}

std::string sha256_hex(std::string_view text) {
  return hex(as_bytes(Digest::of(DigestKind::kSha256, as_bytes(text))));
}

std::string hmac_sha256(std::string_view key, std::string_view text) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned n = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), out, &n);
  return std::string(reinterpret_cast<char*>(out), n);
}

}  // namespace holdfast
