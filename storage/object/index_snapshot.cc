#include "storage/object/index_snapshot.h"

#include <unistd.h>
#include <zstd.h>

#include <cstdio>
#include <filesystem>
#include <memory>

#include "storage/base/paced_file.h"
#include "storage/base/rest.h"
#include "storage/log/body_reader.h"
#include "storage/log/body_writer.h"
#include "storage/object/pool.h"

namespace holdfast {

namespace {

struct CloseFile {
  void operator()(std::FILE* f) const { std::fclose(f); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

Status file_error(const std::string& path) { return Status(Code::kIoError, Subject::kIndex, "snapshot file " + path); }

Status stopped() { return Status(Code::kUnavailable, Subject::kIndex, "a snapshot was given up: the pool is closing"); }

BodyRef body_of(const SnapshotRef& snapshot) {
  ByteReader r(as_bytes(snapshot.body));
  return decode_body_ref(r);
}

// Compresses `from` into `to`; gives the raw and the packed size.
Result<std::pair<uint64_t, uint64_t>> pack(const std::string& from, const std::string& to, const std::stop_token& stop) {
  File in(std::fopen(from.c_str(), "rbe")), out(std::fopen(to.c_str(), "wbe"));
  if (!in || !out) return error(file_error(to));
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, 1);
  Bytes raw(1 << 20), packed(ZSTD_CStreamOutSize());
  uint64_t raw_bytes = 0, packed_bytes = 0;
  PacedFile pace(to, stop);
  for (bool last = false; !last;) {
    const size_t n = std::fread(raw.data(), 1, raw.size(), in.get());
    if (std::ferror(in.get()) != 0) return error(file_error(from));
    raw_bytes += n;
    last = n < raw.size();
    if (!pace.step()) return error(stopped());
    ZSTD_inBuffer input{raw.data(), n, 0};
    for (bool more = true; more;) {
      ZSTD_outBuffer output{packed.data(), packed.size(), 0};
      const size_t left = ZSTD_compressStream2(context.get(), &output, &input, last ? ZSTD_e_end : ZSTD_e_continue);
      if (ZSTD_isError(left) != 0) return error(Code::kInternal, Subject::kIndex, "zstd refuses to compress");
      if (std::fwrite(packed.data(), 1, output.pos, out.get()) != output.pos) return error(file_error(to));
      packed_bytes += output.pos;
      more = last ? left != 0 : input.pos < input.size;
    }
  }
  if (std::fflush(out.get()) != 0) return error(file_error(to));
  return std::pair(raw_bytes, packed_bytes);
}

Result<BodyRef> store_file(Pool& pool, const std::string& path, uint64_t bytes, const std::stop_token& stop) {
  File in(std::fopen(path.c_str(), "rbe"));
  if (!in) return error(file_error(path));
  BodyWriter writer(pool.volume(), pool.compaction_stream(), bytes);
  Bytes buffer(1 << 20);
  while (writer.written_bytes() < bytes) {
    const size_t n = std::fread(buffer.data(), 1, buffer.size(), in.get());
    if (n == 0) return error(file_error(path));
    if (stop.stop_requested()) return error(stopped());
    const auto began = std::chrono::steady_clock::now();
    HF_CHECK(writer.append(ByteSpan(buffer).first(n)));
    rest_after(began);
  }
  HF_TRY(BodyRef ref, writer.finish());
  const uint64_t incarnation = writer.incarnation();
  HF_CHECK(pool.volume().device->flush());
  if (pool.volume().device->incarnation() != incarnation) {
    return error(Code::kUnavailable, Subject::kDevice, "the device's session ended while a snapshot was written");
  }
  // Counted before the writer lets its segments go.
  SnapshotRef held;
  ByteWriter w;
  encode_body_ref(w, ref);
  held.body = std::string(as_text(w.bytes()));
  hold_snapshot(pool.volume(), held);
  return ref;
}

}  // namespace

void hold_snapshot(const Volume& volume, const SnapshotRef& snapshot) {
  const BodyRef body = body_of(snapshot);
  for (const ExtentRef& e : body.extents) {
    volume.allocator->adopt_extent(e.segment, e.generation,
                                   extent_disk_bytes(e.data_bytes, !body.wrapped_key.empty(), volume.layout.block_bytes));
  }
}

void release_snapshot(const Volume& volume, const SnapshotRef& snapshot) {
  const BodyRef body = body_of(snapshot);
  for (const ExtentRef& e : body.extents) {
    volume.allocator->remove_live(e.segment, e.generation,
                                  extent_disk_bytes(e.data_bytes, !body.wrapped_key.empty(), volume.layout.block_bytes));
  }
}

Result<void> take_snapshot(Pool& pool, const std::string& scratch_path, std::stop_token stop) {
  std::lock_guard one_at_a_time(pool.snapshot_mutex());
  std::error_code ignored;
  const std::string packed_path = scratch_path + ".zst";
  std::filesystem::remove(scratch_path, ignored);
  auto work = [&]() -> Result<void> {
    HF_TRY(const Index::Applied applied, pool.index().copy_to(scratch_path, stop));
    HF_TRY(const auto sizes, pack(scratch_path, packed_path, stop));
    HF_TRY(const BodyRef ref, store_file(pool, packed_path, sizes.second, stop));
    ByteWriter body;
    encode_body_ref(body, ref);
    SnapshotRef snapshot{applied.lsn, applied.checksum, sizes.first, std::string(as_text(body.bytes()))};
    return pool.run_exclusive([&]() -> Result<void> {
      auto& snapshots = pool.mutable_superblock().snapshots;
      snapshots.insert(snapshots.begin(), std::move(snapshot));
      std::vector<SnapshotRef> gone(snapshots.begin() + static_cast<ptrdiff_t>(std::min<size_t>(2, snapshots.size())),
                                    snapshots.end());
      snapshots.resize(std::min<size_t>(2, snapshots.size()));
      HF_CHECK(pool.write_superblock_now());
      for (const SnapshotRef& old : gone) release_snapshot(pool.volume(), old);
      return {};
    });
  };
  auto done = work();
  std::filesystem::remove(scratch_path, ignored);
  std::filesystem::remove(packed_path, ignored);
  return done;
}

Result<void> restore_snapshot(const Volume& volume, const SnapshotRef& snapshot, const std::string& path) {
  File out(std::fopen(path.c_str(), "wbe"));
  if (!out) return error(file_error(path));
  const BodyRef body = body_of(snapshot);
  BodyReader reader(volume, body);
  std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  Bytes packed(1 << 20), raw(ZSTD_DStreamOutSize());
  uint64_t written = 0;
  for (uint64_t at = 0; at < body.size_bytes; at += packed.size()) {
    const size_t n = std::min<uint64_t>(packed.size(), body.size_bytes - at);
    HF_CHECK(reader.read(at, MutableByteSpan(packed).first(n)));
    ZSTD_inBuffer input{packed.data(), n, 0};
    while (input.pos < input.size) {
      ZSTD_outBuffer output{raw.data(), raw.size(), 0};
      if (ZSTD_isError(ZSTD_decompressStream(context.get(), &output, &input)) != 0) {
        return error(Code::kCorrupt, Subject::kIndex, "a snapshot does not decompress");
      }
      if (std::fwrite(raw.data(), 1, output.pos, out.get()) != output.pos) return error(file_error(path));
      written += output.pos;
    }
  }
  if (written != snapshot.raw_bytes || std::fflush(out.get()) != 0) return error(file_error(path));
  return {};
}

}  // namespace holdfast
