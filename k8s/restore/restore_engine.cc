#include "k8s/restore_engine.h"

#include <algorithm>

#include "k8s/bucket/object_stream.h"
#include "k8s/bucket/uuid.h"
#include "k8s/hooks/pod_restore_hooks.h"
#include "k8s/restore/preflight.h"
#include "k8s/restore/resource_modifiers.h"
#include "k8s/restore/restore_files.h"
#include "k8s/restore/restore_order.h"
#include "k8s/restore/side_by_side.h"
#include "k8s/restore/target_setup.h"
#include "k8s/restore/wave_runner.h"
#include "k8s/spec/labels.h"
#include "storage/base/text.h"
#include "storage/base/times.h"

namespace holdfast::k8s {

namespace {

constexpr size_t kPlannedItems = 10'000;
constexpr size_t kNamedLacks = 20;
constexpr std::chrono::milliseconds kDefinitionTimeout{60'000};

// The first of them, and how many more there are.
std::string summary_of(const std::vector<std::string>& lacks) {
  std::string all;
  for (size_t i = 0; i < std::min(lacks.size(), kNamedLacks); ++i) all += (i > 0 ? "; " : "") + lacks[i];
  return lacks.size() > kNamedLacks ? all + "; and " + std::to_string(lacks.size() - kNamedLacks) + " more" : all;
}

// One restore from its order to its outcome.
class Run {
 public:
  Run(const ClusterAccess& access, const BackupPlace& place, const RestoreOrder& order, EngineServices services, RestoreProgress& progress)
      : place_(place), order_(order), services_(services), progress_(progress), client_(access, *services.clock),
        log_(*services.clock, "restore=" + order.name_space + "/" + order.name), report_(log_, order.plan ? kPlannedItems : 0),
        uid_(order.uid.empty() ? new_uuid(*services.random) : order.uid), started_ms_(services.clock->wall_ms()) {}

  RestoreOutcome run(std::stop_token stop) {
    const std::stop_callback on_stop(stop, [this] { client_.stop(); });
    if (auto free = check_restore_name(place_, order_.name); !free) {
      outcome_.phase = "Failed";
      outcome_.failure_reason = free.error().message();
      return std::move(outcome_);
    }
    read_spec();
    if (!outcome_.validation_errors.empty()) return finish("FailedValidation");
    hooks_.emplace(spec_.hooks, hook_parts(), log_);
    auto done = prepare();
    if (done) done = order_.plan ? plan(stop) : write(stop);
    if (done && stop.stop_requested()) done = error(Code::kUnavailable, "the server was stopped while it ran");
    if (!done) {
      outcome_.failure_reason = done.error().message();
      log_.error("", outcome_.failure_reason);
      return finish("Failed");
    }
    return finish(log_.errors() > 0 && !order_.plan ? "PartiallyFailed" : "Completed");
  }

 private:
  void read_spec() {
    auto& problems = outcome_.validation_errors;
    auto document = parse_object(order_.spec);
    if (!document) problems.push_back("spec: " + document.error().message());
    spec_ = parse_restore_spec(document ? *document : json::object(), problems);
    if (!spec_.resource_modifier.empty() && problems.empty()) read_modifiers(problems);
  }

  void read_modifiers(std::vector<std::string>& problems) {
    const std::string where = order_.name_space + "/" + spec_.resource_modifier;
    const auto text = client_.get("/api/v1/namespaces/" + order_.name_space + "/configmaps/" + spec_.resource_modifier);
    if (!text) return problems.push_back("failed to get resource modifiers configmap " + where + ": " + text.error().message());
    auto parsed = ResourceModifiers::parse(object_or_empty(*text));
    if (!parsed) return problems.push_back("Error in parsing resource modifiers provided in configmap " + where + ": " + parsed.error().message());
    modifiers_.emplace(std::move(*parsed));
  }

  // Everything that writes nothing.
  Result<void> prepare() {
    if (spec_.backup_name.empty()) {
      HF_TRY(spec_.backup_name, latest_of_schedule(order_.source, spec_.schedule_name));
      spec_.document["backupName"] = spec_.backup_name;
    }
    HF_CHECK(check_backup_name(spec_.backup_name));
    HF_CHECK(restore_point_document(order_.source, spec_.backup_name));
    log_.info("Reading what the API server offers");
    HF_TRY(discovery_, Discovery::read(client_));
    HF_TRY(volumes_, read_volume_records(order_.source, spec_.backup_name));
    HF_TRY(auto spool, ItemSpool::create(order_.spool_directory, *services_.random));
    source_ = std::make_unique<RestoreSource>(spec_, discovery_, volumes_, std::move(spool));
    HF_CHECK(read_archive_whole());
    const auto own = source_->kinds().find(kNamespaces);
    const uint64_t listed = own == source_->kinds().end() ? 0 : own->second.chosen();
    progress_.total = source_->chosen() - listed + source_->namespaces().size();
    log_.info("The restore point has " + std::to_string(source_->chosen()) + " objects for this restore");
    HF_CHECK(find_volumes());
    const auto gone = [this](const std::string& volume) { return volume_is_gone(volume); };
    HF_TRY(outcome_.lacks, preflight({&client_, &discovery_, source_.get(), &spec_, gone}));
    if (outcome_.lacks.empty() || order_.plan || !order_.refuse_incomplete) return {};
    return error(Code::kFailedPrecondition, "nothing was written, for this would be missing afterwards: " + summary_of(outcome_.lacks));
  }

  Result<void> read_archive_whole() {
    const std::string file = spec_.backup_name + ".tar.gz";
    auto reader = order_.source.store->get(order_.source.bucket, restore_point_key(order_.source, spec_.backup_name, file), {});
    if (!reader && reader.error().code() == Code::kNotFound) return error(Code::kNotFound, "the restore point has no " + file);
    if (!reader) return std::unexpected(reader.error());
    auto read = source_->read(object_source(**reader), {});
    if (!read) return error(read.error().code(), "the archive " + file + " cannot be used: " + read.error().message());
    return {};
  }

  // Persistent volumes that the target has or gets.
  Result<void> find_volumes() {
    const auto kind = source_->kinds().find("persistentvolumes");
    if (kind != source_->kinds().end()) {
      for (const SourceItem& item : kind->second.items) {
        if (item.chosen && !source_->provisioned_anew(item.path)) volumes_there_.insert(item.path);
      }
    }
    if (!source_->kinds().contains("persistentvolumeclaims")) return {};
    auto listed = client_.list("/api/v1/persistentvolumes", {}, [this](std::string_view raw) -> Result<void> {
      volumes_there_.insert(text_at(object_at(object_or_empty(raw), "metadata"), "name"));
      return {};
    });
    // Where they may not be seen, what the restore point says has to do.
    if (!listed && listed.error().code() == Code::kPermissionDenied) return {};
    if (!listed) return std::unexpected(listed.error());
    return {};
  }

  bool volume_is_gone(const std::string& volume) const { return source_->provisioned_anew(volume) || !volumes_there_.contains(volume); }

  WriterOptions writer_options() {
    WriterOptions o;
    o.restore = order_.name;
    o.backup = spec_.backup_name;
    o.spec = &spec_;
    o.volume_is_gone = [this](const std::string& volume) { return volume_is_gone(volume); };
    o.leave_out = [this](const std::string& group_resource, const std::string& name) {
      return group_resource == "persistentvolumes" && source_->provisioned_anew(name) ? "its claim gets a new volume" : std::string();
    };
    if (modifiers_ || order_.adjust) {
      o.modify = [this](const std::string& group_resource, json::object& object) -> Result<void> {
        if (modifiers_) HF_CHECK(modifiers_->apply(group_resource, object));
        if (order_.adjust) order_.adjust(group_resource, object);
        return {};
      };
    }
    o.prepare_pod = [this](json::object& pod, const std::string& name_space) { hooks_->prepare(pod, name_space, "velero-restore-init-" + uid_.substr(0, 8)); };
    o.pod_made = [this](const json::object& pod) { hooks_->add(pod); };
    o.plan = order_.plan;
    o.namespace_is_new = [this](const std::string& name) { return new_namespaces_.contains(name); };
    o.is_coming = [this](const std::string& group_resource) { return contains(coming_, group_resource); };
    return o;
  }

  RestoreHookParts hook_parts() {
    return {[this](const PodCommand& command) { return run_in_pod(client_, command); },
            [this](const std::set<std::string>& names) {
              return look_up_pods(client_, std::string(kRestoreNameLabel) + "=" + label_value(order_.name), names);
            }};
  }

  WaveRunner runner(ItemWriter& writer, std::stop_token stop) {
    return WaveRunner({source_.get(), &writer, &report_, &progress_.items,
                       [this](const std::string& name) {
                         const auto found = namespace_problems_.find(name);
                         return found == namespace_problems_.end() ? std::string() : found->second;
                       },
                       [this](const std::string& name) { return spec_.target_namespace(name); }, [this] { return client_.probe(); },
                       [this](std::chrono::milliseconds wait) { return client_.pause(wait); }},
                      std::move(stop));
  }

  static Result<void> not_given_up(WaveRunner& runner) {
    const auto why = runner.given_up();
    if (!why) return {};
    return error(why->code(), "it was given up, the API server does not answer any more: " + why->message());
  }

  Result<void> plan(std::stop_token stop) {
    coming_ = kinds_of_definitions(*source_);
    for (const std::string& name : source_->namespaces()) {
      const std::string& target = spec_.target_namespace(name);
      const auto live = client_.get("/api/v1/namespaces/" + target);
      if (!live && live.error().code() != Code::kNotFound && live.error().code() != Code::kPermissionDenied) return std::unexpected(live.error());
      if (live && view_at(object_at(object_or_empty(*live), "status"), "phase") == "Terminating") outcome_.lacks.push_back("namespace " + target + " is terminating");
      if (!live) new_namespaces_.insert(target);
      report_namespace(target, !live, "");
    }
    ItemWriter writer(client_, writer_options());
    writer.use(&discovery_);
    WaveRunner runner = this->runner(writer, stop);
    for (const auto& wave : waves()) runner.run(wave);
    runner.run_failed_again();
    HF_CHECK(not_given_up(runner));
    outcome_.plan = plan_json(report_);
    return {};
  }

  Result<void> write(std::stop_token stop) {

    for (const std::string& lack : outcome_.lacks) log_.warning("", "missing: " + lack);
    outcome_.total = progress_.total;
    HF_CHECK(put_restore_document(place_, order_.name, document("InProgress")));
    ItemWriter writer(client_, writer_options());
    writer.use(&discovery_);
    WaveRunner runner = this->runner(writer, stop);
    runner.run({kDefinitions});
    HF_CHECK(not_given_up(runner));
    HF_CHECK(await_definitions());
    writer.use(&discovery_);
    make_namespaces();
    for (const auto& wave : waves()) {
      if (stop.stop_requested()) break;
      runner.run(wave);
    }
    runner.run_failed_again();
    HF_CHECK(not_given_up(runner));
    progress_.finalizing = true;
    hooks_->finish([&] { return !stop.stop_requested(); });
    if (spec_.restore_volumes != false) {
      for (const VolumeRecord* v : source_->volumes_with_data()) {
        log_.error(spec_.target_namespace(v->claim_namespace), v->text() + ": its data (" + v->method + ") was not brought back: this server cannot do that yet");
      }
    }
    return {};
  }

  // Behind the definitions and the namespaces, which are on their own.
  std::vector<std::vector<std::string>> waves() const {
    std::vector<std::string> names;
    for (const auto& [name, kind] : source_->kinds()) {
      if (name != kNamespaces && (name != kDefinitions || order_.plan)) names.push_back(name);
    }
    return restore_waves(names);
  }

  Result<void> await_definitions() {
    std::vector<std::string> expected;
    for (const std::string& name : kinds_of_definitions(*source_)) {
      auto established = await_definition(client_, name, kDefinitionTimeout);
      if (established) expected.push_back(name);
      else log_.error("", std::string(kDefinitions) + " " + name + ": " + established.error().message());
    }
    if (expected.empty()) return {};
    HF_TRY(discovery_, discover_with(client_, expected));
    return {};
  }

  void make_namespaces() {
    const std::vector<std::string> names = source_->namespaces();
    std::vector<NamespaceState> states(names.size());
    side_by_side(names.size(), [&](size_t i) { states[i] = ensure_namespace(client_, *source_, spec_, names[i], order_.namespace_timeout); });
    for (size_t i = 0; i < names.size(); ++i) {
      if (!states[i].problem.empty()) namespace_problems_[names[i]] = states[i].problem;
      report_namespace(spec_.target_namespace(names[i]), states[i].created, states[i].problem);
    }
  }

  void report_namespace(const std::string& target, bool created, const std::string& problem) {
    const ItemAction action = !problem.empty() ? ItemAction::kFailed : created ? ItemAction::kCreated : ItemAction::kSkipped;
    ++progress_.items;
    report_.add({action, "v1/Namespace", {kNamespaces, "", target}, problem.empty() && !created ? "it is there" : problem, false});
  }

  RestoreOutcome finish(const char* phase) {
    progress_.finalizing = true;
    if (hooks_) hooks_->finish([] { return false; });
    outcome_.phase = phase;
    outcome_.items = report_.done();
    // What no cluster wants back is not missing.
    outcome_.total = progress_.total - report_.count(ItemAction::kLeftOut);
    outcome_.warnings = log_.warnings();
    outcome_.errors = log_.errors();
    outcome_.document = document(phase);
    if (order_.plan) return std::move(outcome_);
    const RestoreFiles files{outcome_.document, log_.results_json(), report_.resource_list_json(), log_.finish()};
    if (auto written = put_restore_files(place_, order_.name, files); !written) {
      outcome_.phase = "Failed";
      outcome_.failure_reason += (outcome_.failure_reason.empty() ? "" : "; ") + ("its records could not be written: " + written.error().message());
    }
    return std::move(outcome_);
  }

  std::string document(const std::string& phase) const {
    json::object status{{"phase", phase}, {"startTimestamp", rfc3339(started_ms_)},
                        {"progress", json::object{{"totalItems", outcome_.total}, {"itemsRestored", outcome_.items}}}};
    if (hooks_) status["hookStatus"] = hook_status(hooks_->attempted(), hooks_->failed());
    if (phase != "InProgress") status["completionTimestamp"] = rfc3339(services_.clock->wall_ms());
    if (outcome_.warnings > 0) status["warnings"] = outcome_.warnings;
    if (outcome_.errors > 0) status["errors"] = outcome_.errors;
    if (!outcome_.failure_reason.empty()) status["failureReason"] = outcome_.failure_reason;
    if (!outcome_.validation_errors.empty()) status["validationErrors"] = json::array(outcome_.validation_errors.begin(), outcome_.validation_errors.end());
    json::object metadata{{"name", order_.name}, {"namespace", order_.name_space}, {"uid", uid_}, {"creationTimestamp", rfc3339(started_ms_)}};
    return json::serialize(json::object{{"apiVersion", "velero.io/v1"}, {"kind", "Restore"}, {"metadata", std::move(metadata)},
                                        {"spec", spec_.document}, {"status", std::move(status)}});
  }

  const BackupPlace& place_;
  const RestoreOrder& order_;
  const EngineServices services_;
  RestoreProgress& progress_;
  ApiClient client_;
  RunLog log_;
  RestoreReport report_;
  const std::string uid_;
  const int64_t started_ms_;
  RestoreSpec spec_;
  std::optional<ResourceModifiers> modifiers_;
  std::optional<PodRestoreHooks> hooks_;
  Discovery discovery_;
  std::vector<VolumeRecord> volumes_;
  std::unique_ptr<RestoreSource> source_;
  std::set<std::string> volumes_there_, new_namespaces_;
  std::vector<std::string> coming_;  // kinds that definitions of this restore bring
  std::map<std::string, std::string> namespace_problems_;  // by the name in the backup
  RestoreOutcome outcome_;
};

}  // namespace

RestoreOutcome restore(const ClusterAccess& access, const BackupPlace& place, const RestoreOrder& order, EngineServices services,
                       RestoreProgress& progress, std::stop_token stop) {
  return Run(access, place, order, services, progress).run(std::move(stop));
}

}  // namespace holdfast::k8s
