// Puts the objects of a backup into its archive: each once, with those that it needs.
#pragma once

#include <atomic>

#include "k8s/bucket/archive_writer.h"
#include "k8s/backup/hook_blocks.h"
#include "k8s/backup/item_set.h"
#include "k8s/backup/related_items.h"
#include "k8s/backup/resource_filter.h"
#include "k8s/backup/volume_report.h"
#include "k8s/hooks/pod_backup_hooks.h"

namespace holdfast::k8s {

// Not thread-safe, but for `taken`.
class Collector {
 public:
  Collector(ApiClient& client, const Discovery& discovery, const BackupSpec& spec, std::string backup_name, ArchiveWriter& archive,
            PodBackupHooks& hooks, RunLog& log, std::atomic<uint64_t>& taken)
      : client_(client), discovery_(discovery), spec_(spec), backup_name_(std::move(backup_name)), archive_(archive), hooks_(hooks), log_(log),
        taken_(taken), volumes_(spec, log) {}

  // Everything. An object or a kind that fails is an error in the log; what is returned here ends the backup.
  Result<void> run();

  ItemSet& items() { return items_; }
  const VolumeReport& volumes() const { return volumes_; }

 private:
  struct Namespace {
    std::string raw;
    bool active = false;
    bool tracked = false;  // it is taken along
  };
  Result<void> read_namespaces();
  Result<void> take_batches();
  // Pods with hooks come behind all lists: a list does not wait for the commands of users.
  Result<void> take_hooked_pods();
  struct HookedPod;
  Result<void> take_block(const ApiResource& pods, const std::vector<ItemRef>& block);
  std::optional<HookedPod> fetch_hooked(const ApiResource& pods, const ItemRef& ref);
  Result<void> take_namespaces();
  Result<void> take_definitions();
  enum class From { kList, kOrderedList, kRelation, kHooks };
  // Only a failure to write the archive is returned.
  Result<void> take(const ApiResource& resource, std::string_view raw, From from);
  Result<void> take_related(const std::string& group_resource, const json::object& object);
  Result<void> fetch(const ItemRef& item);
  bool wanted(const ApiResource& resource, const json::object& metadata, bool related) const;
  void note_volumes(const std::string& group_resource, const json::object& object);

  ApiClient& client_;
  const Discovery& discovery_;
  const BackupSpec& spec_;
  const std::string backup_name_;
  ArchiveWriter& archive_;
  PodBackupHooks& hooks_;
  RunLog& log_;
  std::atomic<uint64_t>& taken_;
  std::optional<ResourceFilter> filter_;
  std::map<std::string, Namespace> namespaces_;
  ClusterRoleBindings bindings_;
  ItemSet items_;
  VolumeReport volumes_;
  HookBlocks blocks_;
};

}  // namespace holdfast::k8s
