// Writes one object of a backup into a cluster, or finds out what that would do.
#pragma once

#include "k8s/client/api_client.h"
#include "k8s/client/discovery.h"
#include "k8s/restore/item_transforms.h"
#include "k8s/restore/restore_report.h"

namespace holdfast::k8s {

struct WriterOptions {
  std::string restore, backup;  // names, for the labels
  const RestoreSpec* spec = nullptr;
  std::function<bool(const std::string& volume)> volume_is_gone;
  // Changes an object beyond what transform() does; an error is one of that object.
  std::function<Result<void>(const std::string& group_resource, json::object& object)> modify;
  // Adds to a pod what hooks put into it, before `modify` sees it. `name_space`: where it goes.
  std::function<void(json::object& pod, const std::string& name_space)> prepare_pod;
  // Of pods that were made.
  std::function<void(const json::object& pod)> pod_made;
  // Why an object does not come back, beside left_out(); empty where it does.
  std::function<std::string(const std::string& group_resource, const std::string& name)> leave_out;
  bool plan = false;  // nothing is written
  // Of a plan: a namespace that is not there yet; what goes there cannot be tried.
  std::function<bool(const std::string& name_space)> namespace_is_new;
  // Of a plan: a kind that is not served yet, but will be.
  std::function<bool(const std::string& group_resource)> is_coming;
};

// Thread-safe. `discovery` may be replaced between writes, not during one.
class ItemWriter {
 public:
  ItemWriter(ApiClient& client, WriterOptions options);
  void use(const Discovery* discovery);

  ItemResult write(const std::string& group_resource, json::object object) const;

 private:
  struct Item;
  const ApiResource* resource_of(Item& item) const;
  // False: nothing is to be written; the result says why.
  bool prepare(Item& item) const;
  Result<void> modify(Item& item, const std::string& origin) const;
  void create(Item& item) const;
  void plan(Item& item) const;
  void created(Item& item, const json::value& original_fields, const json::value& status) const;
  // The object exists; what now?
  void settle(Item& item, const std::string& live_text) const;
  void patch_existing(Item& item, const json::object& patch, const json::object& live) const;
  void merge_account(Item& item, const json::object& live) const;
  bool restores_status(const Item& item) const;

  ApiClient& client_;
  const WriterOptions options_;
  const TransformContext backup_context_, live_context_;
  RestoreSpec live_spec_;  // without mapping: live objects are where they belong
  NameLists status_kinds_;
  const Discovery* discovery_ = nullptr;
};

}  // namespace holdfast::k8s
