// The two superblock copies of a device: who it is, its shape, its epoch, its wrapped keys, and the few pointers
// that recovery must not guess.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "storage/device/block_device.h"
#include "storage/log/layout.h"

namespace holdfast {

// A compressed copy of the index, written into bulk segments.
struct SnapshotRef {
  Lsn lsn = 0;                  // the last record that it holds
  uint32_t record_checksum = 0; // that record's, to prove that both speak of one history
  uint64_t raw_bytes = 0;       // before compression
  std::string body;             // an encoded BodyRef
};

struct Superblock {
  uint64_t sequence = 0;  // grows with every write; the valid copy with the higher one counts
  Layout layout;
  std::string pool_name;
  int64_t created_ms = 0;
  uint32_t epoch = 0;
  bool encrypted = false;
  std::string key_by_master;    // the pool key, wrapped
  std::string key_by_recovery;
  std::string device_identity;  // what the device called itself when formatted
  std::string holder;           // who opened it last: host, process, a random number of that opening
  Generation journal_first = 0; // journal segments of lower generations are free
  uint32_t journal_head_segment = 0;  // the newest journal segment: its header must be readable
  Generation journal_head = 0;
  std::vector<SnapshotRef> snapshots;  // newest first, two at most
};

// Encodes into exactly kSuperblockBytes.
Bytes encode_superblock(const Superblock& superblock, uint64_t offset_bytes);
// kCorrupt when the copy fails its check; kNotFound when there is no superblock at all (not ours).
Result<Superblock> decode_superblock(ByteSpan bytes, uint64_t offset_bytes);

// Reads both copies and gives the newer valid one. kNotFound: neither was ever written. kCorrupt: both are ours
// and damaged. A read error is returned as it is: a device that does not answer proves nothing.
Result<Superblock> read_superblock(BlockDevice& device);

// The same through any way to read.
Result<Superblock> read_superblock(const BlockDevice::LoginRead& read, const std::string& name);

// Raises the sequence and writes both copies, each followed by a flush, so that one is whole at any moment.
Result<void> write_superblock(BlockDevice& device, Superblock& superblock);

}  // namespace holdfast
