#include "storage/log/body_reader.h"
#include "storage/object/store.h"
#include "storage/object/version_rules.h"

namespace holdfast {

namespace {

class StoreReader final : public ObjectReader {
 public:
  StoreReader(Pool& pool, VersionPtr version, EpochGate::Pin pin)
      : pool_(pool), version_(std::move(version)), info_(version_->info), pin_(std::move(pin)) {
    uint64_t at = 0;
    for (const StoredPart& part : version_->parts) {
      starts_.push_back(at);
      at += part.body.size_bytes;
      if (part.info.number != 0) info_.parts.push_back(part.info);
    }
  }

  const ObjectInfo& info() const override { return info_; }

  Result<void> read(uint64_t offset, MutableByteSpan out) override {
    if (offset + out.size() > info_.size_bytes) return error(Code::kInternal, Subject::kBody, "read past an object's end");
    if (version_->is_inline) return read_inline(offset, out);
    while (!out.empty()) {
      const auto next = std::upper_bound(starts_.begin(), starts_.end(), offset);
      const auto index = static_cast<size_t>(next - starts_.begin()) - 1;
      if (!reader_ || index != reader_part_) {
        reader_ = std::make_unique<BodyReader>(pool_.volume(), version_->parts[index].body);
        reader_part_ = index;
      }
      const uint64_t inside = offset - starts_[index];
      const uint64_t n = std::min<uint64_t>(out.size(), version_->parts[index].body.size_bytes - inside);
      if (n == 0) return error(Code::kCorrupt, Subject::kBody, "an object has fewer bytes than its record says");
      HF_CHECK(reader_->read(inside, out.first(n)));
      offset += n;
      out = out.subspan(n);
    }
    return {};
  }

 private:
  Result<void> read_inline(uint64_t offset, MutableByteSpan out) {
    if (inline_body_.empty() && info_.size_bytes > 0) HF_CHECK(load_inline());
    std::copy_n(inline_body_.begin() + static_cast<ptrdiff_t>(offset), out.size(), out.begin());
    return {};
  }

  Result<void> load_inline() {
    const RecordAddress& home = version_->home;
    const Volume& volume = pool_.volume();
    HF_TRY(const SegmentContext context, pool_.segment_context(home.segment, home.generation));
    const uint64_t from = home.offset_bytes / 512 * 512;
    AlignedBuffer raw(align_up(home.offset_bytes + home.total_bytes, 512) - from);
    HF_CHECK(read_segment(volume, home.segment, from, raw.span()));
    HF_TRY(const Bytes payload, open_record(context, home.offset_bytes,
                                            raw.span().subspan(home.offset_bytes - from, home.total_bytes), nullptr));
    if (payload.size() < info_.size_bytes) return error(Code::kCorrupt, Subject::kBody, "a record lost its body");
    inline_body_.assign(payload.end() - static_cast<ptrdiff_t>(info_.size_bytes), payload.end());
    return {};
  }

  Pool& pool_;
  VersionPtr version_;
  ObjectInfo info_;
  EpochGate::Pin pin_;
  std::vector<uint64_t> starts_;
  std::unique_ptr<BodyReader> reader_;
  size_t reader_part_ = 0;
  Bytes inline_body_;
};

}  // namespace

Result<std::unique_ptr<ObjectReader>> Store::get(const std::string& bucket, const std::string& key,
                                                 const VersionRef& ref) {
  HF_TRY(const Place place, find(bucket));
  Pool& pool = *place.pool;
  if (!pool.volume().device->held()) {
    return error(Code::kUnavailable, Subject::kDevice, "this host may no longer hold pool " + pool.name());
  }
  auto pin = pool.volume().allocator->readers().enter();  // before the look-up
  VersionPtr version;
  {
    const auto overlay_pin = pool.overlay().readers().enter();
    const VersionView view(pool.index(), pool.overlay(), nullptr);
    HF_TRY(version, resolve(view, place.bucket.id, key, ref));
  }
  if (!version) return error(ref.latest() ? no_such_key(key) : no_such_version(key));
  return std::make_unique<StoreReader>(pool, std::move(version), std::move(pin));
}

Result<ListPage> Store::list(const std::string& bucket, ListQuery query) {
  HF_TRY(const Place place, find(bucket));
  query.bucket = place.bucket.id;
  HF_CHECK(place.pool->settle());
  return place.pool->index().list(query);
}

}  // namespace holdfast
