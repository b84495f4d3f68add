#include "daemon/replicator/repository_copier.h"

#include <algorithm>
#include <set>

#include "daemon/replicator/live_repository.h"
#include "daemon/replicator/object_sender.h"
#include "daemon/replicator/repository_sweep.h"
#include "storage/base/digest.h"
#include "storage/base/log.h"

namespace holdfast {

namespace {

constexpr int kRounds = 10;

class RepositoryCopier {
 public:
  RepositoryCopier(const CopySource& source, RemoteStore& site, const SiteUnit& unit, const std::string& repository, CopyLimits limits, CopyProgress& progress, const std::stop_token& stop)
      : source_(source), site_(site), unit_(unit), place_(unit.cluster, repository), limits_(limits), progress_(progress), stop_(stop) {}

  Result<RepositoryRef> run() {
    for (int round = 0; round < kRounds; ++round) {
      HF_CHECK(look());
      if (round == 0) count();
      CopyProgress uncounted;  // what a later round finds besides was not foreseen
      HF_CHECK(begin());
      const auto sent = send(round == 0 ? progress_ : uncounted);
      HF_TRY(const bool still_here, everything_is_still_here());
      if (!still_here) {
        spdlog::info("repository {} of cluster {} changed while it was copied: it is listed anew", place_.repository(), place_.cluster());
        continue;
      }
      HF_CHECK(sent);
      return finish();
    }
    return error(Code::kUnavailable, "repository " + place_.repository() + " changed " + std::to_string(kRounds) + " times while it was copied");
  }

 private:
  std::string here(const std::string& name) const { return source_.prefix + place_.repository() + "/" + name; }

  Result<void> list_here(const std::string& prefix, BlobKind kind, std::vector<CopyObject>& into) {
    ListQuery query;
    query.prefix = here(prefix);
    for (;;) {
      HF_TRY(const ListPage page, source_.store->list(source_.bucket, query));
      for (const ObjectInfo& o : page.entries) {
        const std::string_view name = std::string_view(o.key).substr(here("").size());
        if (blob_kind(name) != kind || name.find('/') != std::string_view::npos) continue;
        auto object = plan_object(source_, o);
        if (!object && object.error().code() == Code::kNotFound) continue;  // it was removed since it was listed
        if (!object) return std::unexpected(object.error());
        object->fixed = true;
        into.push_back(std::move(*object));
      }
      if (!page.truncated) return {};
      query.after_key = page.next_key;
    }
  }

  // Indexes before packs: what an index that is listed names was written before it.
  Result<void> look() {
    const auto there = source_.store->get(source_.bucket, here("kopia.repository"), {});
    if (!there && there.error().code() == Code::kNotFound) return error(Code::kNotFound, "the data of its volumes is in " + place_.repository() + ", and there is no such repository in " + source_.bucket + "/" + source_.prefix);
    if (!there) return std::unexpected(there.error());
    indexes_.clear();
    packs_.clear();
    HF_CHECK(list_here("", BlobKind::kIndex, indexes_));
    HF_CHECK(list_here("", BlobKind::kPack, packs_));
    list_ = {place_.repository(), {}, {}, {}};
    for (const CopyObject& o : indexes_) list_.indexes.push_back(listed(o));
    for (const CopyObject& o : packs_) list_.packs.push_back(listed(o));
    return {};
  }

  static UnitObject listed(const CopyObject& o) {
    UnitObject object{o.name, o.info.size_bytes, o.info.etag, {}, {}};
    for (const PartInfo& p : o.info.parts) object.part_bytes.push_back(p.size_bytes);
    return object;
  }

  void count() {
    progress_.objects += list_.blobs();
    progress_.bytes += list_.size_bytes();
  }

  // From here on nothing of it is removed there. What an earlier try began with may be.
  Result<void> begin() {
    HF_TRY(const std::string body, list_body(list_));
    HF_CHECK(retire_list(site_, place_, place_.begun_key(unit_)));
    HF_CHECK(site_.put({.key = place_.begun_key(unit_), .content_type = "text/plain"}, body));
    return {};
  }

  Result<void> send(CopyProgress& progress) {
    HF_CHECK(send(packs_, place_.unit_prefix(), progress));
    return send(indexes_, place_.index_prefix(), progress);
  }
  Result<void> send(const std::vector<CopyObject>& objects, const std::string& site_prefix, CopyProgress& progress) {
    std::vector<const CopyObject*> wanted;
    for (const CopyObject& o : objects) wanted.push_back(&o);
    ObjectSender sender(source_, site_, site_prefix, limits_, progress, stop_);
    return sender.send_missing(wanted, site_prefix + place_.repository() + "/");
  }

  Result<bool> everything_is_still_here() {
    std::set<std::string> missing;
    for (const auto* objects : {&indexes_, &packs_}) {
      for (const CopyObject& o : *objects) missing.insert(o.info.key);
    }
    ListQuery query;
    query.prefix = here("");
    for (;;) {
      HF_TRY(const ListPage page, source_.store->list(source_.bucket, query));
      for (const ObjectInfo& o : page.entries) missing.erase(o.key);
      if (!page.truncated) return missing.empty();
      query.after_key = page.next_key;
    }
  }

  Result<void> read_own() {
    ListQuery query;
    query.prefix = here("kopia.");
    HF_TRY(const ListPage page, source_.store->list(source_.bucket, query));
    for (const ObjectInfo& o : page.entries) {
      if (o.size_bytes > kMaxOwnBytes) return error(Code::kInvalidArgument, o.key + " has " + std::to_string(o.size_bytes) + " bytes, which is more than can be copied of kopia.*");
      HF_TRY(const auto reader, source_.store->get(source_.bucket, o.key, {}));
      std::string bytes(reader->info().size_bytes, '\0');
      HF_CHECK(reader->read(0, MutableByteSpan(reinterpret_cast<std::byte*>(bytes.data()), bytes.size())));
      list_.own[o.key.substr(source_.prefix.size())] = std::move(bytes);
    }
    return {};
  }

  Result<RepositoryRef> finish() {
    HF_CHECK(read_own());
    HF_TRY(const std::string body, list_body(list_));
    const RepositoryRef ref{place_.repository(), sha256_hex(body), list_.blobs(), list_.size_bytes()};
    const std::string key = place_.list_key(unit_, ref.digest);
    HF_CHECK(site_.put({.key = key, .content_type = "text/plain"}, body));
    HF_CHECK(read_list(site_, unit_, ref));  // as it was written
    HF_TRY(const bool newest, is_newest());
    if (newest) HF_CHECK(lay_live(site_, place_, list_, key, unit_.source));
    return ref;
  }

  Result<bool> is_newest() {
    HF_TRY(const auto lists, list_all(site_, place_.list_prefix("")));
    return std::none_of(lists.begin(), lists.end(), [&](const RemoteObject& o) {
      const auto point = point_of_list(o.key);
      return point && point->started_ms > unit_.started_ms;
    });
  }

  const CopySource& source_;
  RemoteStore& site_;
  const SiteUnit& unit_;
  const RepositoryPlace place_;
  const CopyLimits limits_;
  CopyProgress& progress_;
  const std::stop_token& stop_;
  std::vector<CopyObject> indexes_, packs_;
  RepositoryList list_;
};

}  // namespace

Result<RepositoryRef> copy_repository(const CopySource& source, RemoteStore& site, const SiteUnit& unit, const std::string& repository, CopyLimits limits, CopyProgress& progress,
                                      const std::stop_token& stop) {
  return RepositoryCopier(source, site, unit, repository, limits, progress, stop).run();
}

Result<bool> repository_stays(RemoteStore& site, const SiteUnit& unit, const RepositoryRef& ref) {
  const RepositoryPlace place(unit.cluster, ref.name);
  HF_TRY(const bool swept, is_being_swept(site, place));
  if (swept) return false;
  const auto list = read_list(site, unit, ref);
  if (!list && list.error().code() == Code::kCorrupt) return false;
  if (!list) return std::unexpected(list.error());
  HF_TRY(const auto packs, list_by_key(site, place.unit_prefix() + place.repository() + "/"));
  HF_TRY(const auto indexes, list_by_key(site, place.index_prefix() + place.repository() + "/"));
  const auto all_in = [&](const std::vector<UnitObject>& blobs, const ObjectSender::There& there) {
    return std::all_of(blobs.begin(), blobs.end(), [&](const UnitObject& o) { return there.contains(place.key_of(o)); });
  };
  return all_in(list->packs, packs) && all_in(list->indexes, indexes);
}

Result<void> end_repository_copy(RemoteStore& site, const SiteUnit& unit, const RepositoryRef& ref) {
  const RepositoryPlace place(unit.cluster, ref.name);
  HF_CHECK(retire_other_lists(site, place, unit.backup, place.list_key(unit, ref.digest)));
  return site.remove(place.begun_key(unit));
}

}  // namespace holdfast
