// A body on its way in: small ones wait in memory to become part of their record, others go to bulk segments.
#pragma once

#include "storage/log/body_writer.h"
#include "storage/object/pool.h"
#include "storage/object_store.h"

namespace holdfast {

inline constexpr uint64_t kInlineBytes = 16 << 10;

class StoreBody final : public BodySink {
 public:
  StoreBody(Pool& pool, uint64_t size_bytes);

  Result<void> append(ByteSpan bytes) override;
  uint64_t size_bytes() const override { return size_bytes_; }

  Pool& pool() { return pool_; }
  bool fits_inline() const { return size_bytes_ <= kInlineBytes; }
  // The body of a small object, complete.
  Result<Bytes> take_inline();
  // The body in bulk segments, complete; small ones are written now.
  Result<BodyRef> finish_bulk();
  uint64_t incarnation() const { return writer_ ? writer_->incarnation() : 0; }

 private:
  Pool& pool_;
  const uint64_t size_bytes_;
  Bytes small_;
  std::unique_ptr<BodyWriter> writer_;
};

}  // namespace holdfast
