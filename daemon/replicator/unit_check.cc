#include "daemon/replicator/unit_check.h"

#include "daemon/replicator/copy_plan.h"
#include "daemon/replicator/object_sender.h"
#include "daemon/replicator/part_digests.h"
#include "daemon/replicator/repository_list.h"

namespace holdfast {

namespace {

constexpr size_t kNamed = 1000;

Result<std::string> etag_there(RemoteStore& site, const std::string& key, const UnitObject& o, CopyProgress& progress, const std::stop_token& stop) {
  PartDigests digest(o);
  for (uint64_t done = 0; done < o.size_bytes;) {
    if (stop.stop_requested()) return error(Code::kUnavailable, "it was stopped");
    const uint64_t n = std::min(kPartBytes, o.size_bytes - done);
    HF_TRY(const std::string piece, site.read(key, done, n, ""));
    digest.update(piece);
    done += n;
    progress.bytes_done += n;
  }
  return digest.etag();
}

class UnitCheck {
 public:
  UnitCheck(RemoteStore& site, const SiteUnit& unit, bool volumes, CopyProgress& progress, const std::stop_token& stop) : site_(site), unit_(unit), volumes_(volumes), progress_(progress), stop_(stop) {}

  Result<std::vector<std::string>> run() {
    HF_TRY(const UnitContents contents, read_marker(site_, unit_));
    progress_.objects = contents.objects.size();
    for (const UnitObject& o : contents.objects) progress_.bytes += o.size_bytes;
    for (const RepositoryRef& r : contents.repositories) {
      progress_.objects += r.blobs;
      if (volumes_) progress_.bytes += r.size_bytes;
    }
    for (const UnitObject& o : contents.objects) HF_CHECK(check(o, "clusters/" + unit_.cluster + "/" + o.key));
    for (const RepositoryRef& r : contents.repositories) HF_CHECK(check(r));
    if (unnamed_ > 0) wrong_.push_back("and " + std::to_string(unnamed_) + " more");
    return std::move(wrong_);
  }

 private:
  Result<void> check(const RepositoryRef& ref) {
    const auto list = read_list(site_, unit_, ref);
    if (!list && list.error().code() != Code::kCorrupt) return std::unexpected(list.error());
    if (!list) {
      note(list.error().message());
      return {};
    }
    const RepositoryPlace place(unit_.cluster, ref.name);
    if (!volumes_) return look_for(place, *list);
    for (const auto* blobs : {&list->packs, &list->indexes}) {
      for (const UnitObject& o : *blobs) HF_CHECK(check(o, place.key_of(o)));
    }
    progress_.objects_done += list->own.size();  // in the list
    for (const auto& [name, bytes] : list->own) progress_.bytes_done += bytes.size();
    return {};
  }

  void note(std::string problem) {
    if (wrong_.size() < kNamed) wrong_.push_back(std::move(problem));
    else ++unnamed_;
  }

  Result<void> look_for(const RepositoryPlace& place, const RepositoryList& list) {
    for (const auto& [blobs, prefix] : {std::pair(&list.packs, place.unit_prefix()), std::pair(&list.indexes, place.index_prefix())}) {
      HF_TRY(const auto there, list_by_key(site_, prefix + place.repository() + "/"));
      for (const UnitObject& o : *blobs) {
        const auto found = there.find(place.key_of(o));
        (void)has_its_size(o, found == there.end() ? nullptr : &found->second);
      }
    }
    progress_.objects_done += list.blobs();
    return {};
  }

  bool is_to_be_locked() const { return unit_.locked_until_ms > site_.now_ms().value_or(0); }

  bool has_its_size(const UnitObject& o, const RemoteObject* there) {
    if (there == nullptr) note(o.key + " is missing");
    else if (there->size_bytes != o.size_bytes) note(o.key + " has " + std::to_string(there->size_bytes) + " bytes instead of " + std::to_string(o.size_bytes));
    return there != nullptr && there->size_bytes == o.size_bytes;
  }

  Result<void> check(const UnitObject& o, const std::string& key) {
    const auto there = site_.head(key);
    if (!there && there.error().code() != Code::kNotFound) return std::unexpected(there.error());
    if (has_its_size(o, there ? &*there : nullptr)) {
      HF_TRY(const std::string etag, etag_there(site_, key, o, progress_, stop_));
      if (etag != o.etag) note(o.key + " has other bytes than were copied");
      else if (is_to_be_locked() && there->locked_until_ms < unit_.locked_until_ms) note(o.key + " is not locked");
    }
    ++progress_.objects_done;
    return {};
  }

  RemoteStore& site_;
  const SiteUnit& unit_;
  const bool volumes_;
  CopyProgress& progress_;
  const std::stop_token& stop_;
  std::vector<std::string> wrong_;  // the first of them
  uint64_t unnamed_ = 0;
};

}  // namespace

Result<std::vector<std::string>> check_unit(RemoteStore& site, const SiteUnit& unit, bool volumes, CopyProgress& progress, const std::stop_token& stop) {
  return UnitCheck(site, unit, volumes, progress, stop).run();
}

}  // namespace holdfast
