// The objects of a restore point, and which of them a restore takes.
#pragma once

#include <functional>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "k8s/bucket/archive_reader.h"
#include "k8s/restore/item_spool.h"
#include "k8s/restore/volume_records.h"
#include "k8s/spec/item_ref.h"
#include "k8s/spec/resource_names.h"
#include "k8s/spec/restore_spec.h"

namespace holdfast::k8s {

struct SourceItem {
  std::string path;  // "shop/web", or "web" where cluster-scoped
  SpoolPlace place;
  bool namespaced = false;
  bool chosen = false;

  std::string name_space() const { return namespaced ? path.substr(0, path.find('/')) : std::string(); }
  std::string name() const { return namespaced ? path.substr(path.find('/') + 1) : path; }
};

// Objects of one kind, in the order of the archive.
struct SourceKind {
  std::vector<SourceItem> items;
  std::unordered_map<std::string, size_t> by_path;

  uint64_t chosen() const;
};

// Written by one thread; read by any number of them once read() is through.
class RestoreSource {
 public:
  // `spec` and `volumes` must outlive it. Names in the spec are resolved by what the target offers.
  RestoreSource(const RestoreSpec& spec, const Discovery& target, const std::vector<VolumeRecord>& volumes, std::unique_ptr<ItemSpool> spool);

  // The whole archive. Nothing may be restored from one that is not whole: errors of read_archive() and of the spool.
  Result<void> read(GunzipStream::Source archive, const ArchiveLimits& limits);

  // By group-resource; kinds that no restore brings back are not among them.
  const std::map<std::string, SourceKind>& kinds() const { return kinds_; }
  const SourceItem* find(const ItemRef& item) const;
  // The object. kCorrupt: it is none, or another one than its path says.
  Result<json::object> load(const SourceItem& item) const;
  // Namespaces that something chosen lies in, and those chosen themselves; names as in the backup.
  std::vector<std::string> namespaces() const;
  uint64_t chosen() const { return chosen_; }
  // This persistent volume does not come back: its claim gets a new one.
  bool provisioned_anew(const std::string& volume) const { return anew_.contains(volume); }
  // Volumes with saved data whose claim or pod is among what was chosen.
  std::vector<const VolumeRecord*> volumes_with_data() const;

 private:
  Result<void> take(const std::string& path, std::string_view content);
  bool chooses(const ItemRef& item, const json::object& object) const;
  // May it come along because another one refers to it?
  bool admits(const ItemRef& item) const;
  void note_relations(const ItemRef& item, const json::object& object);
  void choose(const ItemRef& item);
  void choose_related();

  const RestoreSpec& spec_;
  const NameLists resources_;
  const std::vector<VolumeRecord>& volumes_;
  const std::unique_ptr<ItemSpool> spool_;
  std::map<std::string, SourceKind> kinds_;
  std::unordered_map<std::string, std::vector<ItemRef>> needs_of_pod_;  // by path
  std::unordered_map<std::string, std::string> volume_of_claim_;       // by path
  std::unordered_set<std::string> anew_;
  uint64_t chosen_ = 0;
};

}  // namespace holdfast::k8s
