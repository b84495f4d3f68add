#include "daemon/replicator/live_repository.h"

#include <algorithm>
#include <boost/json.hpp>
#include <set>

#include "daemon/replicator/object_sender.h"

namespace holdfast {

namespace json = boost::json;

namespace {

// What lay_live() has put there, written before it is.
struct LiveRecord {
  std::string list, source;
  std::set<std::string> indexes, own;  // keys, relative to clusters/CLUSTER/
};

void read_names(const json::object& o, const char* key, std::set<std::string>& into) {
  const json::value* names = o.if_contains(key);
  if (names == nullptr || !names->is_array()) return;
  for (const json::value& v : names->get_array()) {
    if (v.is_string()) into.insert(std::string(v.get_string()));
  }
}

Result<LiveRecord> read_record(RemoteStore& site, const RepositoryPlace& place) {
  const auto body = site.get(place.live_key(), kMaxListBytes);
  if (!body && body.error().code() == Code::kNotFound) return LiveRecord();
  if (!body) return std::unexpected(body.error());
  boost::system::error_code ec;
  const json::value v = json::parse(*body, ec);
  const json::object* o = ec ? nullptr : v.if_object();
  const json::value* list = o == nullptr ? nullptr : o->if_contains("list");
  if (list == nullptr || !list->is_string()) return error(Code::kCorrupt, place.live_key() + " at the site cannot be read");
  LiveRecord record{std::string(list->get_string()), {}, {}, {}};
  if (const json::value* source = o->if_contains("source"); source != nullptr && source->is_string()) record.source = std::string(source->get_string());
  read_names(*o, "indexes", record.indexes);
  read_names(*o, "own", record.own);
  // It must not lead anywhere else.
  std::erase_if(record.indexes, [&](const std::string& name) { return !name.starts_with(place.repository() + "/") || blob_kind(name.substr(place.repository().size() + 1)) != BlobKind::kIndex; });
  std::erase_if(record.own, [&](const std::string& name) { return !name.starts_with(place.repository() + "/kopia."); });
  return record;
}

Result<void> write_record(RemoteStore& site, const RepositoryPlace& place, const LiveRecord& record) {
  const std::string body = json::serialize(json::object{{"list", record.list}, {"source", record.source}, {"indexes", json::array(record.indexes.begin(), record.indexes.end())}, {"own", json::array(record.own.begin(), record.own.end())}});
  HF_CHECK(site.put({.key = place.live_key(), .content_type = "application/json"}, body));
  return {};
}

// Somebody may have a repository of his own there.
Result<void> nobody_elses(RemoteStore& site, const RepositoryPlace& place, const LiveRecord& ours, const RepositoryList& list) {
  const std::string opener = list.opener();
  if (ours.own.contains(opener)) return {};
  const auto there = site.get(place.unit_prefix() + opener, kMaxOwnBytes);
  if (!there && there.error().code() == Code::kNotFound) return {};
  if (!there) return std::unexpected(there.error());
  const auto wanted = list.own.find(opener);
  if (wanted != list.own.end() && wanted->second == *there) return {};
  return error(Code::kAlreadyExists, site.place().url + "/" + site.place().bucket + "/" + place.unit_prefix() + place.repository() + " is a repository that was not copied there");
}

// A second time what a site says that it has, and has not.
Result<void> put_indexes(RemoteStore& site, const RepositoryPlace& place, const RepositoryList& list) {
  const std::string prefix = place.unit_prefix() + place.repository() + "/";
  for (int round = 0;; ++round) {
    HF_TRY(const auto there, list_by_key(site, prefix));
    HF_TRY(const auto kept, list_by_key(site, place.index_prefix() + place.repository() + "/"));
    bool whole = true;
    for (const UnitObject& o : list.indexes) {
      const auto found = there.find(place.unit_prefix() + o.key);
      if (found != there.end() && found->second.size_bytes == o.size_bytes) continue;
      whole = false;
      if (round == 2) return error(Code::kCorrupt, site.place().url + "/" + site.place().bucket + " loses what it accepts: " + o.key + " is not there");
      if (!kept.contains(place.key_of(o))) return error(Code::kCorrupt, place.key_of(o) + " is not at the site any more");
      HF_CHECK(site.copy(place.key_of(o), place.unit_prefix() + o.key));
    }
    if (whole) return {};
  }
}

Result<void> put_own(RemoteStore& site, const RepositoryPlace& place, const RepositoryList& list) {
  for (const auto& [name, bytes] : list.own_opener_last()) {
    const std::string key = place.unit_prefix() + name;
    HF_CHECK(site.put({.key = key}, bytes));
    HF_TRY(const std::string there, site.get(key, kMaxOwnBytes));
    if (there != bytes) return error(Code::kCorrupt, site.place().url + "/" + site.place().bucket + "/" + key + " has other bytes than were sent");
  }
  return {};
}

}  // namespace

Result<void> lay_live(RemoteStore& site, const RepositoryPlace& place, const RepositoryList& list, const std::string& key, const std::string& source) {
  HF_TRY(const LiveRecord before, read_record(site, place));
  if (!source.empty() && !before.source.empty() && source != before.source) {
    return error(Code::kAlreadyExists, "appliance " + before.source + " has copied repository " + place.repository() + " of a cluster \"" + place.cluster() + "\" there");
  }
  LiveRecord now{key, source.empty() ? before.source : source, {}, {}};
  for (const UnitObject& o : list.indexes) now.indexes.insert(o.key);
  for (const auto& [name, bytes] : list.own) now.own.insert(name);
  HF_CHECK(nobody_elses(site, place, before, list));
  LiveRecord both = now;
  both.list.clear();  // until it is whole
  both.indexes.insert(before.indexes.begin(), before.indexes.end());
  both.own.insert(before.own.begin(), before.own.end());
  HF_CHECK(write_record(site, place, both));
  HF_CHECK(put_indexes(site, place, list));
  HF_CHECK(put_own(site, place, list));
  for (const std::string& name : before.indexes) {
    if (!now.indexes.contains(name)) HF_CHECK(site.remove(place.unit_prefix() + name));
  }
  for (const std::string& name : before.own) {
    if (!now.own.contains(name)) HF_CHECK(site.remove(place.unit_prefix() + name));
  }
  return write_record(site, place, now);
}

Result<std::string> live_list(RemoteStore& site, const RepositoryPlace& place) {
  HF_TRY(const LiveRecord record, read_record(site, place));
  return record.list;
}

Result<void> clear_live(RemoteStore& site, const RepositoryPlace& place) {
  HF_TRY(const LiveRecord record, read_record(site, place));
  const std::string opener = place.repository() + "/kopia.repository";
  if (record.own.contains(opener)) HF_CHECK(site.remove(place.unit_prefix() + opener));
  for (const auto* names : {&record.own, &record.indexes}) {
    for (const std::string& name : *names) HF_CHECK(site.remove(place.unit_prefix() + name));
  }
  return site.remove(place.live_key());
}

}  // namespace holdfast
