#include "storage/object/pool.h"

namespace holdfast {

namespace {

// A pool that is to be replaced must not hold locked versions: only its own index can tell.
Result<void> refuse_existing(BlockDevice& device, bool overwrite) {
  auto existing = read_superblock(device);
  if (!existing && existing.error().code() == Code::kNotFound) return {};
  if (!existing && existing.error().code() != Code::kCorrupt) return std::unexpected(existing.error());
  const std::string what = existing ? "the pool \"" + existing->pool_name + "\"" : "a damaged Holdfast pool";
  if (!overwrite) return error(Code::kAlreadyExists, Subject::kPool, device.info().name + " holds " + what);
  return {};
}

uint64_t segment_bytes_for(uint64_t device_bytes) {
  // About 16,000 segments at most: every opening reads their headers.
  uint64_t bytes = kDefaultSegmentBytes;
  while (device_bytes / bytes > (16u << 10) && bytes < (1u << 30)) bytes *= 2;
  return bytes;
}

}  // namespace

Result<Superblock> Pool::create(BlockDevice& device, const PoolCreateOptions& options, Clock& clock, Random& random) {
  HF_CHECK(refuse_existing(device, options.overwrite));
  Superblock s;
  random.fill(s.layout.pool_id);
  s.layout.block_bytes = device.info().block_bytes;
  s.layout.segment_bytes = options.segment_bytes != 0 ? options.segment_bytes : segment_bytes_for(device.info().size_bytes);
  const uint64_t usable = device.info().size_bytes - std::min(device.info().size_bytes, kHeaderAreaBytes);
  s.layout.segment_count = static_cast<uint32_t>(usable / s.layout.segment_bytes);
  if (s.layout.segment_count < kMinSegments) {
    return error(Code::kInvalidArgument, Subject::kPool,
                 device.info().name + " is too small: a pool needs at least " +
                     std::to_string((kHeaderAreaBytes + kMinSegments * s.layout.segment_bytes) >> 20) + " MiB");
  }
  s.pool_name = options.name;
  s.created_ms = clock.wall_ms();
  s.encrypted = options.encrypted;
  s.device_identity = device.info().identity;
  if (options.encrypted) {
    if (!options.master_key || !options.recovery_key) {
      return error(Code::kInvalidArgument, Subject::kPool, "an encrypted pool needs a master key and a recovery key");
    }
    const SecretKey pool_key = SecretKey::random(random);
    const std::string context(as_text(s.layout.pool_id));
    s.key_by_master = wrap_key(*options.master_key, pool_key, context, random);
    s.key_by_recovery = wrap_key(*options.recovery_key, pool_key, context, random);
  }
  HF_CHECK(write_superblock(device, s));
  return s;
}

}  // namespace holdfast
