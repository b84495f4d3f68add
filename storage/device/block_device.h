// The narrow waist under the store: something that holds blocks, may lose what was not flushed, and may lie.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "storage/base/bytes.h"

namespace holdfast {

// What a target and the link to it say of themselves, and how requests become commands for that.
struct LinkInfo {
  uint64_t most_bytes = 0;  // a command may move (SBC-4, Block Limits VPD page, MAXIMUM TRANSFER LENGTH); 0: it does not say
  uint64_t best_bytes = 0;  // OPTIMAL TRANSFER LENGTH of the same page; 0: it does not say
  std::chrono::microseconds round_trip{0};  // of a command that does nothing
  uint32_t command_bytes = 0;  // of each command, at most
  size_t command_depth = 0;    // under way at once, at most
};

struct DeviceInfo {
  std::string name;            // as the operator wrote it: a path or an iscsi:// URL without secrets
  std::string identity;        // what the device says it is (VPD 0x83, file id); compared at every login
  uint64_t size_bytes = 0;
  uint32_t block_bytes = 4096;  // max(4096, physical sector): the unit of every write
  bool can_discard = false;
  // Room is found for a block when it is first written, or first after a discard, and the next flush waits for that to be noted down.
  bool sparse = false;
  bool has_page_cache = false;  // the kernel keeps what was read, and read_cached() may find it
  // No other host can write it: by a reservation, or because it is a file. Otherwise its holder keeps a heartbeat on it.
  bool exclusive = false;
  std::optional<LinkInfo> link;  // of a LUN
};

// Does this identity follow the device wherever it is attached? Paths and device numbers do not.
inline bool is_lasting(const std::string& identity) {
  return !identity.empty() && !identity.starts_with("file:") && !identity.starts_with("block:");
}

// Blocking and thread-safe: any number of threads may call at once; the order of concurrent calls is not
// defined. Offsets and lengths are multiples of info().block_bytes for writes, of 512 for reads; memory of
// any alignment works, memory aligned to 4,096 avoids a copy. Every call ends by the device's deadline with
// kUnavailable (session lost, may come back), kIoError (will not) or kPermissionDenied (fenced).
class BlockDevice {
 public:
  virtual ~BlockDevice() = default;

  virtual const DeviceInfo& info() const = 0;
  virtual Result<void> read(uint64_t offset_bytes, MutableByteSpan out) = 0;
  // As read(), of any length and where the bytes are in memory: false where they are not, and nothing of `out` may be used. Never waits
  // for the device.
  virtual Result<bool> read_cached(uint64_t /*offset_bytes*/, MutableByteSpan /*out*/) { return false; }
  // A hint: this range and what lies about it will be read. Where there is a page cache it is filled, in large pieces, and waited for.
  virtual void fill_cache(uint64_t /*offset_bytes*/, uint64_t /*length_bytes*/) {}
  // On success the bytes are readable, but durable only after a flush() that began later has succeeded.
  virtual Result<void> write(uint64_t offset_bytes, ByteSpan in) = 0;
  virtual Result<void> flush() = 0;
  // A hint: afterwards the range reads as anything. Never fails for want of support.
  virtual Result<void> discard(uint64_t offset_bytes, uint64_t length_bytes) = 0;

  // Grows by one whenever unflushed writes may have been lost (a session ended). Writes count as flushed only
  // if this number was the same before the first of them and after the flush.
  virtual uint64_t incarnation() const { return 0; }

  // True while this host may serve what it holds. False once the proof that no other host took the device over
  // is stale: then nothing is served, reads included.
  virtual bool held() const { return true; }

  // Called at every later login, before anything is written, with a way to read: an error other than kUnavailable
  // gives the device up. For devices that have no logins it is never called.
  using LoginRead = std::function<Result<void>(uint64_t offset_bytes, MutableByteSpan out)>;
  using LoginCheck = std::function<Result<void>(const LoginRead& read)>;
  virtual void set_login_check(LoginCheck) {}

  // Who holds the device, as far as it tells; for people. Empty: nobody, or it cannot tell.
  virtual std::string holder() const { return {}; }
};

}  // namespace holdfast
