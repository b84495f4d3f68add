#include "storage/crypto/aead.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <memory>

#include "storage/crypto/gcm_wide.h"

namespace holdfast {

namespace {

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* ctx) const { EVP_CIPHER_CTX_free(ctx); }
};

const EVP_CIPHER* aes_256_gcm() {
  static EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  return cipher;
}

unsigned char* uc(std::byte* p) { return reinterpret_cast<unsigned char*>(p); }
const unsigned char* uc(const std::byte* p) { return reinterpret_cast<const unsigned char*>(p); }

// A context for one direction on one thread. Making it, and giving it a key, cost more than sealing a small record, and many records in
// turn have the same key.
class Context {
 public:
  explicit Context(int direction) : ctx_(EVP_CIPHER_CTX_new()), direction_(direction) {
    EVP_CipherInit_ex2(ctx_.get(), aes_256_gcm(), nullptr, nullptr, direction_, nullptr);
  }
  ~Context() { OPENSSL_cleanse(key_.data(), key_.size()); }

  EVP_CIPHER_CTX* with(const SecretKey& key, const Nonce& nonce) {
    const bool same = has_key_ && std::equal(key_.begin(), key_.end(), key.bytes().begin());
    EVP_CipherInit_ex2(ctx_.get(), nullptr, same ? nullptr : uc(key.bytes().data()), uc(nonce.data()), direction_, nullptr);
    if (!same) std::copy(key.bytes().begin(), key.bytes().end(), key_.begin());
    has_key_ = true;
    return ctx_.get();
  }

 private:
  std::unique_ptr<EVP_CIPHER_CTX, FreeContext> ctx_;
  const int direction_;
  std::array<std::byte, SecretKey::kBytes> key_{};
  bool has_key_ = false;
};

EVP_CIPHER_CTX* sealing(const SecretKey& key, const Nonce& nonce) {
  thread_local Context context(1);
  return context.with(key, nonce);
}

EVP_CIPHER_CTX* opening(const SecretKey& key, const Nonce& nonce) {
  thread_local Context context(0);
  return context.with(key, nonce);
}

}  // namespace

SecretKey::~SecretKey() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

SecretKey SecretKey::random(Random& random) {
  SecretKey key;
  random.fill(key.bytes_);
  return key;
}

Result<SecretKey> SecretKey::from_bytes(ByteSpan bytes) {
  if (bytes.size() != kBytes) {
    return error(Code::kInvalidArgument, "a key has 32 bytes, not " + std::to_string(bytes.size()));
  }
  SecretKey key;
  std::copy(bytes.begin(), bytes.end(), key.bytes_.begin());
  return key;
}

Nonce counter_nonce(uint64_t counter) {
  Nonce nonce{};
  store_le(nonce.data(), counter);
  return nonce;
}

void aead_seal(const SecretKey& key, const Nonce& nonce, ByteSpan aad, ByteSpan plain, MutableByteSpan cipher,
               std::span<std::byte, kTagBytes> tag) {
  if (has_wide_gcm()) return wide_gcm_seal(key, nonce, aad, plain, cipher, tag);
  EVP_CIPHER_CTX* ctx = sealing(key, nonce);
  int n = 0;
  if (!aad.empty()) EVP_EncryptUpdate(ctx, nullptr, &n, uc(aad.data()), static_cast<int>(aad.size()));
  if (!plain.empty()) EVP_EncryptUpdate(ctx, uc(cipher.data()), &n, uc(plain.data()), static_cast<int>(plain.size()));
  unsigned char rest[16];
  EVP_EncryptFinal_ex(ctx, rest, &n);
  EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, kTagBytes, tag.data());
}

bool aead_open(const SecretKey& key, const Nonce& nonce, ByteSpan aad, ByteSpan cipher,
               std::span<const std::byte, kTagBytes> tag, MutableByteSpan plain) {
  if (has_wide_gcm()) return wide_gcm_open(key, nonce, aad, cipher, tag, plain);
  EVP_CIPHER_CTX* ctx = opening(key, nonce);
  int n = 0;
  if (!aad.empty()) EVP_DecryptUpdate(ctx, nullptr, &n, uc(aad.data()), static_cast<int>(aad.size()));
  if (!cipher.empty()) EVP_DecryptUpdate(ctx, uc(plain.data()), &n, uc(cipher.data()), static_cast<int>(cipher.size()));
  EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, kTagBytes, const_cast<std::byte*>(tag.data()));
  unsigned char rest[16];
  return EVP_DecryptFinal_ex(ctx, rest, &n) == 1;
}

std::string seal_text(const SecretKey& with, std::string_view plain, std::string_view context, Random& random) {
  Nonce nonce;
  random.fill(nonce);
  std::string out(nonce.size() + plain.size() + kTagBytes, '\0');
  auto* at = reinterpret_cast<std::byte*>(out.data());
  std::copy(nonce.begin(), nonce.end(), at);
  MutableByteSpan cipher(at + nonce.size(), plain.size());
  aead_seal(with, nonce, as_bytes(context), as_bytes(plain), cipher,
            std::span<std::byte, kTagBytes>(at + nonce.size() + plain.size(), kTagBytes));
  return out;
}

Result<std::string> open_text(const SecretKey& with, std::string_view sealed, std::string_view context) {
  Nonce nonce;
  if (sealed.size() < nonce.size() + kTagBytes) return error(Code::kCorrupt, "a sealed secret is too short");
  const auto* at = reinterpret_cast<const std::byte*>(sealed.data());
  std::copy_n(at, nonce.size(), nonce.begin());
  const size_t n = sealed.size() - nonce.size() - kTagBytes;
  std::string plain(n, '\0');
  const bool ok = aead_open(with, nonce, as_bytes(context), {at + nonce.size(), n},
                            std::span<const std::byte, kTagBytes>(at + nonce.size() + n, kTagBytes),
                            {reinterpret_cast<std::byte*>(plain.data()), n});
  if (!ok) return error(Code::kPermissionDenied, "a sealed secret does not open with this key");
  return plain;
}

std::string wrap_key(const SecretKey& with, const SecretKey& key, std::string_view context, Random& random) {
  return seal_text(with, as_text(key.bytes()), context, random);
}

Result<SecretKey> unwrap_key(const SecretKey& with, std::string_view wrapped, std::string_view context) {
  HF_TRY(std::string plain, open_text(with, wrapped, context));
  auto key = SecretKey::from_bytes(as_bytes(plain));
  OPENSSL_cleanse(plain.data(), plain.size());
  return key;
}

}  // namespace holdfast
