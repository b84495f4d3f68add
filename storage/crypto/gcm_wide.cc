#include "storage/crypto/gcm_wide.h"

#ifdef HOLDFAST_IPSEC_MB

#include <intel-ipsec-mb.h>
#include <openssl/crypto.h>

#include <algorithm>

#include "storage/base/cpu.h"

namespace holdfast {

namespace {

// Its functions for this processor; null: none, or not the wide ones. Never freed, and never written to again: the functions take no manager.
const IMB_MGR* manager() {
  static const IMB_MGR* const made = []() -> const IMB_MGR* {
    IMB_MGR* const m = alloc_mb_mgr(0);
    if (m == nullptr) return nullptr;
    IMB_ARCH arch = IMB_ARCH_NONE;
    init_mb_mgr_auto(m, &arch);
    constexpr uint64_t kNeeded = IMB_FEATURE_AVX512_SKX | IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ;
    if (arch == IMB_ARCH_AVX512 && (m->features & kNeeded) == kNeeded) return m;
    free_mb_mgr(m);
    return nullptr;
  }();
  return made;
}

// An expanded key. Making it costs as much as sealing a kilobyte, and many blocks in turn have the same key.
class Schedule {
 public:
  ~Schedule() {
    OPENSSL_cleanse(&expanded_, sizeof(expanded_));
    OPENSSL_cleanse(key_.data(), key_.size());
  }

  const gcm_key_data* of(const SecretKey& key) {
    if (has_key_ && std::equal(key_.begin(), key_.end(), key.bytes().begin())) return &expanded_;
    IMB_AES256_GCM_PRE(manager(), key.bytes().data(), &expanded_);
    std::copy(key.bytes().begin(), key.bytes().end(), key_.begin());
    has_key_ = true;
    return &expanded_;
  }

 private:
  alignas(64) gcm_key_data expanded_;
  std::array<std::byte, SecretKey::kBytes> key_{};
  bool has_key_ = false;
};

uint8_t* u8(std::byte* p) { return reinterpret_cast<uint8_t*>(p); }
const uint8_t* u8(const std::byte* p) { return reinterpret_cast<const uint8_t*>(p); }

// The context holds what could tell of the key's hash.
struct WipedContext {
  gcm_context_data data;
  ~WipedContext() { OPENSSL_cleanse(&data, sizeof(data)); }
};

}  // namespace

bool has_wide_gcm() { return cpu_level() == CpuLevel::kAvx512 && manager() != nullptr; }

void wide_gcm_seal(const SecretKey& key, const Nonce& nonce, ByteSpan aad, ByteSpan plain, MutableByteSpan cipher, std::span<std::byte, kTagBytes> tag) {
  thread_local Schedule schedule;
  WipedContext context;
  IMB_AES256_GCM_ENC(manager(), schedule.of(key), &context.data, u8(cipher.data()), u8(plain.data()), plain.size(), u8(nonce.data()), u8(aad.data()), aad.size(), u8(tag.data()), kTagBytes);
}

bool wide_gcm_open(const SecretKey& key, const Nonce& nonce, ByteSpan aad, ByteSpan cipher, std::span<const std::byte, kTagBytes> tag, MutableByteSpan plain) {
  thread_local Schedule schedule;
  WipedContext context;
  std::array<uint8_t, kTagBytes> computed;
  IMB_AES256_GCM_DEC(manager(), schedule.of(key), &context.data, u8(plain.data()), u8(cipher.data()), cipher.size(), u8(nonce.data()), u8(aad.data()), aad.size(), computed.data(), kTagBytes);
  return CRYPTO_memcmp(computed.data(), tag.data(), kTagBytes) == 0;
}

}  // namespace holdfast

#else

namespace holdfast {

bool has_wide_gcm() { return false; }

void wide_gcm_seal(const SecretKey&, const Nonce&, ByteSpan, ByteSpan, MutableByteSpan, std::span<std::byte, kTagBytes>) {}

bool wide_gcm_open(const SecretKey&, const Nonce&, ByteSpan, ByteSpan, std::span<const std::byte, kTagBytes>, MutableByteSpan) { return false; }

}  // namespace holdfast

#endif
