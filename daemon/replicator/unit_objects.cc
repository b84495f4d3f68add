#include "daemon/replicator/unit_objects.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "daemon/replicator/part_digests.h"
#include "storage/read_only_objects.h"

namespace holdfast {

namespace {

constexpr uint64_t kWindowBytes = 8 << 20;

class UnitReader final : public ObjectReader {
 public:
  UnitReader(std::shared_ptr<RemoteStore> site, std::string key, const UnitObject& object) : site_(std::move(site)), object_(object), digest_(object) {
    info_.key = std::move(key);
    info_.size_bytes = object.size_bytes;
    info_.etag = object.etag;
    info_.is_latest = true;
  }

  const ObjectInfo& info() const override { return info_; }

  Result<void> read(uint64_t offset_bytes, MutableByteSpan out) override {
    if (offset_bytes + out.size() > info_.size_bytes) return error(Code::kInvalidArgument, "behind the end of " + info_.key);
    while (!out.empty()) {
      if (offset_bytes < begin_ || offset_bytes >= begin_ + window_.size()) HF_CHECK(load(offset_bytes));
      const uint64_t at = offset_bytes - begin_, n = std::min<uint64_t>(out.size(), window_.size() - at);
      std::memcpy(out.data(), window_.data() + at, n);
      offset_bytes += n;
      out = out.subspan(n);
    }
    return {};
  }

 private:
  Result<void> load(uint64_t offset_bytes) {
    window_.clear();
    HF_TRY(window_, site_->read(info_.key, offset_bytes, std::min(kWindowBytes, info_.size_bytes - offset_bytes), ""));
    begin_ = offset_bytes;
    if (begin_ != digested_) return {};  // not in order: it cannot be said
    digest_.update(window_);
    digested_ += window_.size();
    if (digested_ == info_.size_bytes && digest_.etag() != object_.etag) {
      window_.clear();
      return error(Code::kCorrupt, info_.key + " at the site has other bytes than were copied");
    }
    return {};
  }

  const std::shared_ptr<RemoteStore> site_;
  const UnitObject object_;
  ObjectInfo info_;
  PartDigests digest_;
  uint64_t digested_ = 0, begin_ = 0;
  std::string window_;
};

class UnitObjectStore final : public ReadOnlyObjects {
 public:
  UnitObjectStore(std::shared_ptr<RemoteStore> site, std::map<std::string, UnitObject> objects) : ReadOnlyObjects("a copy at a site can only be read"), site_(std::move(site)), objects_(std::move(objects)) {}

  Result<std::unique_ptr<ObjectReader>> get(const std::string&, const std::string& key, const VersionRef&) override {
    const auto found = objects_.find(key);
    if (found == objects_.end()) return error(Code::kNotFound, Subject::kKey, "the copy has no " + key);
    return std::make_unique<UnitReader>(site_, key, found->second);
  }

  // In one page: a restore point has some dozen objects.
  Result<ListPage> list(const std::string&, ListQuery query) override {
    ListPage page;
    std::set<std::string> directories;
    for (auto at = objects_.lower_bound(query.prefix); at != objects_.end() && at->first.starts_with(query.prefix); ++at) {
      const size_t end = query.delimiter.empty() ? std::string::npos : at->first.find(query.delimiter, query.prefix.size());
      if (end != std::string::npos) {
        directories.insert(at->first.substr(0, end + query.delimiter.size()));
        continue;
      }
      page.entries.push_back(UnitReader(site_, at->first, at->second).info());
    }
    page.common_prefixes.assign(directories.begin(), directories.end());
    return page;
  }

 private:
  const std::shared_ptr<RemoteStore> site_;
  const std::map<std::string, UnitObject> objects_;  // by key at the site
};

}  // namespace

Result<std::shared_ptr<ObjectStore>> open_unit(std::shared_ptr<RemoteStore> site, const SiteUnit& unit) {
  HF_TRY(const UnitContents contents, read_marker(*site, unit));
  std::map<std::string, UnitObject> objects;
  for (const UnitObject& o : contents.objects) {
    std::string key = "clusters/" + unit.cluster + "/" + o.key;
    objects.emplace(std::move(key), o);
  }
  return std::make_shared<UnitObjectStore>(std::move(site), std::move(objects));
}

}  // namespace holdfast
