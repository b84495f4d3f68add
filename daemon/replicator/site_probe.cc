#include "daemon/replicator/site_probe.h"

namespace holdfast {

namespace {

// What nothing works without.
Result<void> probe_basics(RemoteStore& site, const std::string& key) {
  const std::string body = "holdfast was here: " + key;
  HF_CHECK(site.put({.key = key}, body));
  HF_TRY(const std::string whole, site.get(key, 1 << 20));
  if (whole != body) return error(Code::kCorrupt, "it gives other bytes than it got");
  HF_TRY(const std::string middle, site.read(key, 3, 5, ""));
  if (middle != body.substr(3, 5)) return error(Code::kCorrupt, "it gives other bytes of a range than it got");
  HF_TRY(const RemoteObject there, site.head(key));
  if (there.size_bytes != body.size()) return error(Code::kCorrupt, "it says another size than it got");
  HF_TRY(const RemotePage page, site.list({key, "", "", 10}));
  if (page.objects.size() != 1 || page.objects[0].key != key) return error(Code::kCorrupt, "it does not list what it got");
  return {};
}

Result<void> probe_removal(RemoteStore& site, const std::string& key) {
  HF_CHECK(site.remove(key));
  const auto there = site.head(key);
  if (there) return error(Code::kCorrupt, "it still has what it removed");
  if (there.error().code() != Code::kNotFound) return std::unexpected(there.error());
  return {};
}

}  // namespace

SiteFindings probe_site(RemoteStore& site, Random& random) {
  SiteFindings f;
  std::array<std::byte, 8> bytes;
  random.fill(bytes);
  const std::string key = "holdfast/probe/" + hex(bytes);
  Result<void> done = probe_basics(site, key);
  if (done) {
    const auto second = site.put({.key = key, .only_new = true}, "again");
    f.conditional_writes = !second && second.error().code() == Code::kFailedPrecondition;
    const bool tagged = static_cast<bool>(site.put({.key = key, .tags = {{"holdfast", "probe"}}}, "tagged"));
    const auto tags = tagged ? site.tags(key) : Result<Pairs>(Pairs());
    f.tags = tags && *tags == Pairs{{"holdfast", "probe"}};
    f.versioning = site.versioning().value_or("");
    f.object_lock = site.object_lock().value_or(false);
  }
  const Result<void> removed = probe_removal(site, key);
  if (done && !removed) done = removed;
  f.usable = static_cast<bool>(done);
  if (!done) f.problem = done.error().message();
  f.clock_ahead_ms = site.clock_ahead_ms().value_or(0);
  return f;
}

}  // namespace holdfast
