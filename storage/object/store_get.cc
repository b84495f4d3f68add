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
    if (version_->is_inline) {
      if (!has_inline_body()) HF_CHECK(load_inline());
      copy_inline(offset, out);
      return {};
    }
    HF_CHECK(each_part(offset, out, [this](uint64_t from, MutableByteSpan part) -> Result<bool> {
      HF_CHECK(reader_->read(from, part));
      return true;
    }));
    return {};
  }

  Result<bool> read_now(uint64_t offset, MutableByteSpan out) override {
    if (offset + out.size() > info_.size_bytes) return error(Code::kInternal, Subject::kBody, "read past an object's end");
    if (!version_->is_inline) {
      return each_part(offset, out, [this](uint64_t from, MutableByteSpan part) { return reader_->read_cached(from, part); });
    }
    if (!has_inline_body()) {
      HF_TRY(const bool is_here, load_inline_now());
      if (!is_here) return false;
    }
    copy_inline(offset, out);
    return true;
  }

 private:
  // Calls `read(offset in the part, bytes of out)` for each part that the range touches, with reader_ made for it, until one says false.
  template <typename Read>
  Result<bool> each_part(uint64_t offset, MutableByteSpan out, const Read& read) {
    while (!out.empty()) {
      const auto next = std::upper_bound(starts_.begin(), starts_.end(), offset);
      const auto index = static_cast<size_t>(next - starts_.begin()) - 1;
      const BodyRef& body = version_->parts[index].body;
      if (!reader_ || index != reader_part_) {
        reader_ = std::make_unique<BodyReader>(pool_.volume(), body);
        reader_part_ = index;
      }
      const uint64_t inside = offset - starts_[index];
      const uint64_t n = std::min<uint64_t>(out.size(), body.size_bytes - inside);
      if (n == 0) return error(Code::kCorrupt, Subject::kBody, "an object has fewer bytes than its record says");
      HF_TRY(const bool is_read, read(inside, out.first(n)));
      if (!is_read) return false;
      offset += n;
      out = out.subspan(n);
    }
    return true;
  }

  bool has_inline_body() const { return inline_body_.size() == info_.size_bytes; }
  void copy_inline(uint64_t offset, MutableByteSpan out) const {
    std::copy_n(inline_body_.begin() + static_cast<ptrdiff_t>(offset), out.size(), out.begin());
  }

  CachePlace cache_place() const { return {version_->home.segment, version_->home.offset_bytes, version_->home.generation}; }
  // The record in whole sectors.
  uint64_t record_from() const { return version_->home.offset_bytes / 512 * 512; }
  size_t record_room() const { return align_up(version_->home.offset_bytes + version_->home.total_bytes, 512) - record_from(); }

  Result<void> load_inline() {
    const RecordAddress& home = version_->home;
    HF_TRY(const SegmentContext context, pool_.segment_context(home.segment, home.generation));
    AlignedBuffer raw(record_room());
    HF_CHECK(read_segment(pool_.volume(), home.segment, record_from(), raw.span()));
    HF_CHECK(open_inline(context, raw.span()));
    if (ReadCache* cache = pool_.volume().cache) cache->put(cache_place(), inline_body_);
    return {};
  }

  Result<bool> load_inline_now() {
    const RecordAddress& home = version_->home;
    if (ReadCache* cache = pool_.volume().cache) {
      Bytes body(info_.size_bytes);
      if (cache->get(cache_place(), 0, body)) {
        inline_body_ = std::move(body);
        return true;
      }
    }
    if (!pool_.volume().device->info().has_page_cache) return false;
    const auto context = pool_.cached_segment_context(home.segment, home.generation);
    if (!context) return false;
    Bytes raw(record_room());
    HF_TRY(const bool is_here, read_segment_cached(pool_.volume(), home.segment, record_from(), raw));
    if (is_here) HF_CHECK(open_inline(*context, raw));
    return is_here;
  }

  Result<void> open_inline(const SegmentContext& context, MutableByteSpan raw) {
    const RecordAddress& home = version_->home;
    HF_TRY(Bytes payload, open_record(context, home.offset_bytes, raw.subspan(home.offset_bytes - record_from(), home.total_bytes), nullptr));
    if (payload.size() < info_.size_bytes) return error(Code::kCorrupt, Subject::kBody, "a record lost its body");
    payload.erase(payload.begin(), payload.end() - static_cast<ptrdiff_t>(info_.size_bytes));
    inline_body_ = std::move(payload);
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

Result<std::unique_ptr<ObjectReader>> Store::get(const std::string& bucket, const std::string& key, const VersionRef& ref) {
  return get(bucket, key, ref, Index::Patience::kWaits);
}

std::optional<Result<std::unique_ptr<ObjectReader>>> Store::get_now(const std::string& bucket, const std::string& key, const VersionRef& ref) {
  auto reader = get(bucket, key, ref, Index::Patience::kNone);
  if (!reader && reader.error().code() == Code::kUnavailable) return std::nullopt;
  return reader;
}

Result<std::unique_ptr<ObjectReader>> Store::get(const std::string& bucket, const std::string& key, const VersionRef& ref, Index::Patience patience) {
  HF_TRY(const Place place, find(bucket));
  Pool& pool = *place.pool;
  if (!pool.volume().device->held()) {
    return error(Code::kUnavailable, Subject::kDevice, "this host may no longer hold pool " + pool.name());
  }
  auto pin = pool.volume().allocator->readers().enter();  // before the look-up
  VersionPtr version;
  {
    const auto overlay_pin = pool.overlay().readers().enter();
    const VersionView view(pool.index(), pool.overlay(), nullptr, patience);
    HF_TRY(version, resolve(view, place.bucket->id, key, ref));
  }
  if (!version) return error(ref.latest() ? no_such_key(key) : no_such_version(key));
  return std::make_unique<StoreReader>(pool, std::move(version), std::move(pin));
}

Result<ListPage> Store::list(const std::string& bucket, ListQuery query) {
  HF_TRY(const Place place, find(bucket));
  query.bucket = place.bucket->id;
  HF_CHECK(place.pool->settle());
  return place.pool->index().list(query);
}

}  // namespace holdfast
