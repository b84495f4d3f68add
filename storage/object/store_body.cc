#include "storage/object/store_body.h"

namespace holdfast {

StoreBody::StoreBody(Pool& pool, uint64_t size_bytes) : pool_(pool), size_bytes_(size_bytes) {
  if (fits_inline()) {
    small_.reserve(size_bytes);
  } else {
    writer_ = std::make_unique<BodyWriter>(pool.volume(), pool.put_stream(), size_bytes);
  }
}

Result<void> StoreBody::append(ByteSpan bytes) {
  if (writer_) return writer_->append(bytes);
  if (small_.size() + bytes.size() > size_bytes_) {
    return error(Code::kInvalidArgument, Subject::kBody, "the body is longer than announced");
  }
  small_.insert(small_.end(), bytes.begin(), bytes.end());
  return {};
}

Result<Bytes> StoreBody::take_inline() {
  if (small_.size() != size_bytes_) {
    return error(Code::kInvalidArgument, Subject::kBody, "the body is shorter than announced");
  }
  return std::move(small_);
}

Result<BodyRef> StoreBody::finish_bulk() {
  if (!writer_) {
    HF_TRY(const Bytes bytes, take_inline());
    writer_ = std::make_unique<BodyWriter>(pool_.volume(), pool_.put_stream(), size_bytes_);
    HF_CHECK(writer_->append(bytes));
  }
  return writer_->finish();
}

}  // namespace holdfast
