#include "tests/support/point_objects.h"

#include <algorithm>

#include "storage/base/digest.h"
#include "storage/base/times.h"

namespace holdfast::test {

namespace {

class TextReader final : public ObjectReader {
 public:
  explicit TextReader(const std::string& key) : body_(point_body(key)) {
    info_.key = key;
    info_.size_bytes = body_.size();
    info_.etag = hex(as_bytes(Digest::of(DigestKind::kMd5, as_bytes(body_))));
  }
  const ObjectInfo& info() const override { return info_; }
  Result<void> read(uint64_t offset_bytes, MutableByteSpan out) override {
    std::copy_n(as_bytes(body_).begin() + static_cast<ptrdiff_t>(offset_bytes), out.size(), out.begin());
    return {};
  }

 private:
  const std::string body_;
  ObjectInfo info_;
};

}  // namespace

std::string point_body(const std::string& key) { return "what lies at " + key; }

std::vector<std::string> PointObjects::keys(const std::string& prefix) const {
  std::vector<std::string> keys;
  for (const std::string& name : clusters_.point_names()) {
    const std::string place = kPointsPrefix + "backups/" + name + "/";
    if (!place.starts_with(prefix) && !prefix.starts_with(place)) continue;
    keys.push_back(place + name + ".tar.gz");
    keys.push_back(place + "velero-backup.json");
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

Result<std::unique_ptr<ObjectReader>> PointObjects::get(const std::string&, const std::string& key, const VersionRef&) {
  const auto all = keys(key);
  if (!std::binary_search(all.begin(), all.end(), key)) return error(Code::kNotFound, Subject::kKey, key + " is not there");
  return std::make_unique<TextReader>(key);
}

Result<ListPage> PointObjects::list(const std::string&, ListQuery query) {
  ListPage page;
  for (const std::string& key : keys(query.prefix)) {
    if (key.starts_with(query.prefix) && key > query.after_key) page.entries.push_back(TextReader(key).info());
  }
  return page;
}

std::vector<ClusterStatus> PointClusters::clusters() const {
  ClusterStatus c;
  c.name = "c";
  c.bucket = "holdfast";
  c.prefix = kPointsPrefix;
  return {c};
}

Result<std::vector<RunStatus>> PointClusters::backups(const std::string& cluster) {
  HF_TRY(const auto points, clusters_.points(cluster));
  std::vector<RunStatus> out;
  for (const OwnedPoint& p : points) {
    RunStatus s;
    s.name = p.point.name;
    s.policy = p.policy;
    s.tier = p.tier;
    s.started = rfc3339(p.point.started_ms);
    s.phase = !p.point.ended ? "InProgress" : p.point.good ? "Completed" : "PartiallyFailed";
    out.push_back(std::move(s));
  }
  return out;
}

Result<RunStatus> PointClusters::backup(const std::string& cluster, const std::string& name) {
  HF_TRY(const auto all, backups(cluster));
  for (const RunStatus& s : all) {
    if (s.name == name) return s;
  }
  return error(Code::kNotFound, "there is no backup " + name);
}

}  // namespace holdfast::test
