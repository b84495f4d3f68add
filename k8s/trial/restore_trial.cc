#include "k8s/restore_trial.h"

#include <algorithm>
#include <mutex>

#include "k8s/restore/item_transforms.h"
#include "k8s/restore/side_by_side.h"
#include "k8s/trial/comparison.h"
#include "k8s/trial/harmless.h"
#include "k8s/trial/readiness.h"
#include "k8s/trial/scratch_spaces.h"
#include "k8s/trial/trial_checks.h"
#include "storage/base/text.h"

namespace holdfast::k8s {

namespace {

constexpr size_t kNamedProblems = 100;
constexpr size_t kNamedPods = 10;
constexpr std::chrono::milliseconds kLookEvery{1'000};
constexpr std::chrono::milliseconds kRemovalPatience{300'000};
const std::vector<std::string> kNamespacesOfTheCluster{"kube-system", "kube-public", "kube-node-lease"};
// What controllers rewrite while others look on.
const std::vector<std::string> kNotCompared{"endpoints", "endpointslices.discovery.k8s.io", "leases.coordination.k8s.io"};

json::array list_of(const std::vector<std::string>& texts) { return json::array(texts.begin(), texts.end()); }

class Trial {
 public:
  Trial(const ClusterAccess& access, const TrialOrder& order, EngineServices services, TrialProgress& progress, std::stop_token stop)
      : access_(access), order_(order), services_(services), progress_(progress), stop_(std::move(stop)), client_(access, *services.clock), began_ms_(services.clock->monotonic_ms()) {}

  TrialOutcome run() {
    const std::stop_callback on_stop(stop_, [this] { client_.stop(); });
    auto done = prepare();
    if (done) {
      done = carry_out();
      remove();
    }
    if (done && stop_.stop_requested()) done = error(Code::kUnavailable, "it was stopped");
    outcome_.tried = static_cast<bool>(done);
    if (!done) outcome_.reason = done.error().message();
    return std::move(outcome_);
  }

 private:
  struct Awaited {
    std::string group_resource;
    const ApiResource* resource = nullptr;
    std::string name_space, name;  // as restored
    std::string why{};             // it is not ready
  };

  void problem(std::string text) {
    std::lock_guard lock(mutex_);
    if (++outcome_.problems <= kNamedProblems) outcome_.problem.push_back(std::move(text));
  }

  json::object spec_document() const {
    json::object document{{"backupName", order_.backup}, {"includeClusterResources", false}};
    std::vector<std::string> left_out = order_.left_out;
    left_out.insert(left_out.end(), kNamespacesOfTheCluster.begin(), kNamespacesOfTheCluster.end());
    if (order_.namespaces.empty()) document["excludedNamespaces"] = list_of(left_out);
    else document["includedNamespaces"] = list_of(order_.namespaces);
    document["excludedResources"] = list_of(order_.excluded_resources);
    return document;
  }

  // Reads what there is, and where it would go. Writes nothing.
  Result<void> prepare() {
    document_ = spec_document();
    std::vector<std::string> wrong;
    spec_ = parse_restore_spec(document_, wrong);
    if (!wrong.empty()) return error(Code::kInvalidArgument, wrong.front());
    HF_TRY(discovery_, Discovery::read(client_));
    HF_TRY(volumes_, read_volume_records(order_.source, order_.backup));
    HF_TRY(auto spool, ItemSpool::create(order_.spool_directory, *services_.random));
    source_ = std::make_unique<RestoreSource>(spec_, discovery_, volumes_, std::move(spool));
    HF_TRY(const auto reader, order_.source.store->get(order_.source.bucket, restore_point_key(order_.source, order_.backup, order_.backup + ".tar.gz"), {}));
    HF_CHECK(source_->read(object_source(*reader), {}));
    const std::vector<std::string> names = source_->namespaces();
    for (const std::string& wanted : order_.namespaces) {
      if (!contains(names, wanted)) return error(Code::kNotFound, "the restore point has nothing of namespace " + wanted);
    }
    for (const TrialCheck& check : order_.checks) {
      if (!contains(names, check.name_space)) return error(Code::kNotFound, check.text() + ": namespace " + check.name_space + " is not restored");
    }
    if (names.empty()) return error(Code::kFailedPrecondition, "the restore point has no namespace that could be restored for a trial");
    spec_.namespace_mapping = scratch_names(order_.id, names);
    return {};
  }

  Result<void> carry_out() {
    progress_.step = "restoring";
    for (const auto& [name, scratch] : spec_.namespace_mapping) HF_CHECK(make_scratch(client_, *source_, order_.id, name, scratch, order_.isolated));
    HF_CHECK(restore_all());
    HF_CHECK(await_readiness());
    outcome_.ready_ms = services_.clock->monotonic_ms() - began_ms_;
    progress_.step = "comparing";
    HF_CHECK(compare_all());
    progress_.step = "checking";
    for (const TrialCheck& check : order_.checks) {
      if (stop_.stop_requested()) break;
      const std::string why = run_check(access_, *services_.clock, check, spec_.target_namespace(check.name_space), stop_);
      ++outcome_.checked;
      if (!why.empty()) problem(why);
    }
    return {};
  }

  void remove() {
    progress_.step = "removing";
    // Whoever stops it does not wait; what is left is removed when the daemon begins again.
    const auto removed = remove_trial(access_, order_.id, *services_.clock, stop_.stop_requested() ? std::chrono::milliseconds(0) : kRemovalPatience);
    if (!removed) outcome_.not_removed = removed.error().message();
    (void)delete_restore_records(order_.records, restore_name());
  }

  std::string restore_name() const { return trial_restore_name(order_.id); }

  // Kinds with something chosen that are not let loose.
  std::vector<std::string> outside_kinds() const {
    std::vector<std::string> kinds;
    for (const auto& [name, kind] : source_->kinds()) {
      if (kind.chosen() > 0 && acts_outside(name, order_.custom_resources)) kinds.push_back(name);
    }
    return kinds;
  }

  RestoreOrder restore_order(json::object spec) const {
    json::object mapping;
    for (const auto& [from, to] : spec_.namespace_mapping) mapping[from] = to;
    spec["namespaceMapping"] = std::move(mapping);
    RestoreOrder o;
    o.name = restore_name();
    o.spec = json::serialize(spec);
    o.source = order_.source;
    o.spool_directory = order_.spool_directory;
    o.adjust = [isolated = order_.isolated](const std::string& group_resource, json::object& object) { make_harmless(group_resource, object, isolated); };
    return o;
  }

  Result<void> restore_all() {
    const std::vector<std::string> outside = outside_kinds();
    json::object spec = document_;
    std::vector<std::string> excluded = order_.excluded_resources;
    excluded.insert(excluded.end(), outside.begin(), outside.end());
    spec["excludedResources"] = list_of(excluded);
    RestoreProgress progress;
    const RestoreOutcome restored = restore(access_, order_.records, restore_order(std::move(spec)), services_, progress, stop_);
    outcome_.restored = restored.items;
    if (restored.phase == "PartiallyFailed") {
      for_each_error(restored);
    } else if (restored.phase != "Completed") {
      return error(Code::kFailedPrecondition, restored.failure_reason.empty() && !restored.validation_errors.empty() ? restored.validation_errors.front() : restored.failure_reason);
    }
    if (outside.empty()) return {};
    return try_dry(outside);
  }

  void for_each_error(const RestoreOutcome& restored) {
    const auto log = restore_log(order_.records, restore_name());
    uint64_t named = 0;
    for (const std::string_view line : split_text(log ? *log : std::string(), '\n')) {
      if (line.find(" level=error ") == std::string_view::npos) continue;
      const size_t from = line.find("msg=") + 4, to = line.rfind(" restore=");
      boost::system::error_code ec;
      const json::value message = json::parse(line.substr(from, to - std::min(from, to)), ec);
      problem(message.is_string() ? std::string(message.get_string()) : std::string(line));
      ++named;
    }
    if (named == 0) problem("the restore ended with " + std::to_string(restored.errors) + " errors");
  }

  // Would the server take them?
  Result<void> try_dry(const std::vector<std::string>& kinds) {
    json::object spec = document_;
    spec["includedResources"] = list_of(kinds);
    RestoreOrder order = restore_order(std::move(spec));
    order.name += "-dry";  // it leaves no record
    order.plan = true;
    order.refuse_incomplete = false;
    RestoreProgress progress;
    const RestoreOutcome planned = restore(access_, order_.records, order, services_, progress, stop_);
    if (planned.phase != "Completed") return error(Code::kFailedPrecondition, planned.failure_reason);
    const json::object plan = object_or_empty(planned.plan);
    for (const json::value& v : array_at(plan, "items")) {
      if (!v.is_object() || view_at(v.get_object(), "resource") == "namespaces") continue;
      const json::object& item = v.get_object();
      ++outcome_.dry_run;
      if (view_at(item, "action") == "failed") problem(text_at(item, "resource") + " " + text_at(item, "namespace") + "/" + text_at(item, "name") + ": " + text_at(item, "why"));
    }
    return {};
  }

  // Calls `use` with every object that was to be restored, several at a time.
  template <typename Use>
  void for_each_item(Use use) {
    for (const auto& [name, kind] : source_->kinds()) {
      if (acts_outside(name, order_.custom_resources)) continue;
      const ApiResource* resource = discovery_.find_group_resource(name);
      if (resource == nullptr || !resource->can("create")) continue;
      side_by_side(kind.items.size(), [&](size_t i) {
        const SourceItem& item = kind.items[i];
        if (!item.chosen || !item.namespaced || stop_.stop_requested()) return;
        const auto object = source_->load(item);
        if (object && !left_out(name, *object)) use(name, *resource, *object);
      });
    }
  }

  Result<void> await_readiness() {
    progress_.step = "waiting until it is ready";
    std::vector<Awaited> open;
    for_each_item([&](const std::string& name, const ApiResource& resource, const json::object& object) {
      // What was not ready then is not asked to be now; what a controller made it makes again, under another name.
      if (!has_readiness(name) || why_not_ready(name, object) || is_made_by_controller(object)) return;
      const json::object& metadata = object_at(object, "metadata");
      std::lock_guard lock(mutex_);
      open.push_back({name, &resource, spec_.target_namespace(text_at(metadata, "namespace")), text_at(metadata, "name")});
    });
    outcome_.awaited = open.size();
    const int64_t end_ms = services_.clock->monotonic_ms() + order_.ready_within.count();
    for (;;) {
      HF_CHECK(look_at(open));
      std::erase_if(open, [](const Awaited& a) { return a.why.empty(); });
      if (open.empty() || services_.clock->monotonic_ms() >= end_ms) break;
      if (!client_.pause(kLookEvery)) return error(Code::kUnavailable, "it was stopped");
    }
    for (const Awaited& a : open) problem(a.group_resource + " " + origin_of(a.name_space) + "/" + a.name + " does not become ready: " + a.why);
    if (!open.empty()) say_why_pods_wait();
    return {};
  }

  Result<void> look_at(std::vector<Awaited>& open) {
    std::optional<Status> failed;
    side_by_side(open.size(), [&](size_t i) {
      Awaited& a = open[i];
      const auto text = client_.get(a.resource->path(a.name_space, a.name));
      if (text) {
        a.why = why_not_ready(a.group_resource, object_or_empty(*text)).value_or("");
      } else if (text.error().code() == Code::kNotFound) {
        a.why = "it is not there";
      } else {
        std::lock_guard lock(mutex_);
        failed = text.error();
      }
    });
    if (failed) return std::unexpected(*failed);
    return {};
  }

  void say_why_pods_wait() {
    size_t named = 0;
    for (const auto& [name, scratch] : spec_.namespace_mapping) {
      (void)client_.list("/api/v1/namespaces/" + scratch + "/pods", {}, [&](std::string_view raw) -> Result<void> {
        const json::object pod = object_or_empty(raw);
        const std::string why = container_problem(pod);
        if (!why.empty() && named++ < kNamedPods) problem("pods " + name + "/" + text_at(object_at(pod, "metadata"), "name") + ": " + why);
        return {};
      });
    }
  }

  std::string origin_of(const std::string& scratch) const {
    for (const auto& [name, other] : spec_.namespace_mapping) {
      if (other == scratch) return name;
    }
    return scratch;
  }

  Result<void> compare_all() {
    std::optional<Status> failed;
    for_each_item([&](const std::string& name, const ApiResource& resource, const json::object& object) {
      // Pods of controllers come and go.
      if (contains(kNotCompared, name) || (name == "pods" && is_made_by_controller(object))) return;
      if (auto done = compare(name, resource, object); !done) {
        std::lock_guard lock(mutex_);
        failed = done.error();
      }
    });
    if (failed) return std::unexpected(*failed);
    return {};
  }

  Result<void> compare(const std::string& group_resource, const ApiResource& resource, json::object wanted) {
    const std::string origin = text_at(object_at(wanted, "metadata"), "namespace"), name = text_at(object_at(wanted, "metadata"), "name");
    const std::string what = group_resource + " " + origin + "/" + name;
    const ApiResource* version = discovery_.find_version(group_resource, version_of(wanted));
    const auto text = client_.get((version != nullptr ? *version : resource).path(spec_.target_namespace(origin), name));
    if (!text && text.error().code() == Code::kNotFound) {
      problem(what + " is not there after the restore");
      return {};
    }
    if (!text) return std::unexpected(text.error());
    transform(group_resource, wanted, {&spec_, [](const std::string&) { return true; }});
    make_harmless(group_resource, wanted, order_.isolated);
    if (version == nullptr) wanted.erase("apiVersion");
    const std::string where = object_difference(std::move(wanted), object_or_empty(*text));
    if (!where.empty()) problem(what + " differs from the backup after the restore: " + where);
    std::lock_guard lock(mutex_);
    ++outcome_.compared;
    return {};
  }

  static std::string version_of(const json::object& object) {
    const std::string version = text_at(object, "apiVersion");
    return version.substr(version.find('/') + 1);
  }

  const ClusterAccess& access_;
  const TrialOrder& order_;
  const EngineServices services_;
  TrialProgress& progress_;
  const std::stop_token stop_;
  ApiClient client_;
  const int64_t began_ms_;
  json::object document_;
  RestoreSpec spec_;
  Discovery discovery_;
  std::vector<VolumeRecord> volumes_;
  std::unique_ptr<RestoreSource> source_;
  std::mutex mutex_;
  TrialOutcome outcome_;
};

}  // namespace

TrialOutcome try_restore(const ClusterAccess& access, const TrialOrder& order, EngineServices services, TrialProgress& progress, std::stop_token stop) {
  return Trial(access, order, services, progress, std::move(stop)).run();
}

}  // namespace holdfast::k8s
