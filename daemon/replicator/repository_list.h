// What a restore point needs of a kopia repository, and how such repositories lie at a site.
//
//   clusters/CLUSTER/kopia/NS/...                      as kopia has it: packs, which all restore points there share, and the indexes and
//                                                      kopia.* of one of them, the newest, so that Velero restores it as it lies there
//   holdfast/repositories/CLUSTER/indexes/kopia/NS/... the indexes of all of them; kopia writes each under a name of its own, once
//   .../lists/kopia/NS/BACKUP,START,DIGEST             what a restore point needs: written before its marker, removed after it
//   .../begun/kopia/NS/BACKUP,START                    the same while it is copied: nothing that it names is removed
//   .../removed/kopia/NS/BACKUP,START,DIGEST           what was needed once: these blobs, and no others, may be removed
//   .../live/kopia/NS                                  whose indexes lie in the first of these
//   .../sweeping/kopia/NS                              while blobs that nothing needs are removed
#pragma once

#include <map>

#include "daemon/replicator/site_unit.h"

namespace holdfast {

// What a blob of kopia's is, by its name; in a repository nothing but these has to be copied. Index blobs say which contents there
// are, or no longer are: a restore point needs exactly those that there were. kopia/repo/content, kopia/internal/epoch
enum class BlobKind {
  kPack,     // never changes; what is unknown is taken for one
  kIndex,    // never changes
  kOwn,      // kopia.*: small, changes
  kSession,  // what a client that is writing says of itself, and logs: not copied
};
BlobKind blob_kind(std::string_view name);

// Keys are relative to clusters/CLUSTER/: "kopia/NS/p0123...".
struct RepositoryList {
  std::string repository;  // "kopia/NS"
  std::vector<UnitObject> packs, indexes;
  std::map<std::string, std::string> own;  // with their bytes

  uint64_t blobs() const { return packs.size() + indexes.size() + own.size(); }
  uint64_t size_bytes() const;
  std::string opener() const { return repository + "/kopia.repository"; }  // of `own`: by it the repository is opened
  // Of `own`, in the order in which it is written: the opener last, when everything else is there.
  std::vector<std::pair<std::string, std::string>> own_opener_last() const;
};

// Text, a line a blob. What it cannot name is kInvalidArgument; more than kMaxListBytes is kOutOfSpace.
Result<std::string> list_body(const RepositoryList& list);
// kCorrupt: it is none, or not whole, or names what is no part of its repository.
Result<RepositoryList> parse_list(std::string_view body);
inline constexpr uint64_t kMaxListBytes = 64 << 20;  // some 600,000 blobs: at kopia's 20 MiB a pack, 11 TiB
inline constexpr uint64_t kMaxOwnBytes = 1 << 20;

// Keys at the site of one repository of a cluster.
class RepositoryPlace {
 public:
  RepositoryPlace(std::string cluster, std::string repository) : cluster_(std::move(cluster)), repository_(std::move(repository)) {}

  const std::string& cluster() const { return cluster_; }
  const std::string& repository() const { return repository_; }
  std::string unit_prefix() const { return "clusters/" + cluster_ + "/"; }  // of what is as kopia has it
  std::string index_prefix() const { return root(cluster_) + "indexes/"; }  // of all indexes
  std::string key_of(const UnitObject& blob) const;                         // where a blob that a list names is kept
  std::string list_key(const SiteUnit& unit, const std::string& digest) const { return key("lists", stem(unit) + "," + digest.substr(0, 32)); }
  std::string list_prefix(const std::string& backup) const { return key("lists", backup.empty() ? "" : backup + ","); }
  std::string begun_key(const SiteUnit& unit) const { return key("begun", stem(unit)); }
  std::string begun_prefix() const { return key("begun", ""); }
  std::string removed_key(const std::string& name, const std::string& digest) const { return key("removed", name + "," + digest.substr(0, 32)); }
  std::string removed_prefix() const { return key("removed", ""); }
  std::string live_key() const { return root(cluster_) + "live/" + repository_; }
  std::string sweeping_key() const { return root(cluster_) + "sweeping/" + repository_; }

  static std::string root(const std::string& cluster) { return "holdfast/repositories/" + cluster + "/"; }
  static std::string stem(const SiteUnit& unit);  // BACKUP,START

 private:
  std::string key(const char* kind, const std::string& name) const { return root(cluster_) + kind + "/" + repository_ + "/" + name; }

  std::string cluster_, repository_;
};

// Which restore point a key under lists/, begun/ or removed/ is of.
struct ListedPoint {
  std::string backup;
  int64_t started_ms = 0;
};
std::optional<ListedPoint> point_of_list(const std::string& key);

// The list that a marker names. kCorrupt: it is another one than was written, or gone.
Result<RepositoryList> read_list(RemoteStore& site, const SiteUnit& unit, const RepositoryRef& ref);
// It is kept no longer; what it names may be removed unless others need it.
Result<void> retire_list(RemoteStore& site, const RepositoryPlace& place, const std::string& key);
// All lists of a unit.
Result<void> retire_lists(RemoteStore& site, const RepositoryPlace& place, const SiteUnit& unit);
// All lists of backups of that name but this one.
Result<void> retire_other_lists(RemoteStore& site, const RepositoryPlace& place, const std::string& backup, const std::string& kept_key);

}  // namespace holdfast
