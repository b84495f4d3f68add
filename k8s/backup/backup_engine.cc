#include "k8s/backup_engine.h"

#include "k8s/backup/collector.h"
#include "k8s/bucket/object_stream.h"
#include "k8s/bucket/uuid.h"
#include "k8s/spec/labels.h"
#include "storage/base/times.h"

namespace holdfast::k8s {

namespace {

// When the server is being stopped: of one post hook, and of all together.
constexpr std::chrono::milliseconds kLastPostHook{10'000};
constexpr std::chrono::seconds kLastPostHooks{30};

// One backup from its order to its outcome.
class Run {
 public:
  Run(const ClusterAccess& access, const BackupPlace& place, const BackupOrder& order, EngineServices services, BackupProgress& progress)
      : place_(place), order_(order), services_(services), progress_(progress), client_(access, *services.clock), post_hook_client_(access, *services.clock),
        log_(*services.clock, "backup=" + order.name_space + "/" + order.name), started_ms_(services.clock->wall_ms()) {}

  BackupOutcome run(std::stop_token stop) {
    const std::stop_callback on_stop(stop, [this] { client_.stop(); });
    auto spec = read_spec();
    if (!outcome_.validation_errors.empty()) return finish("FailedValidation");
    auto written = write(spec);
    if (written && stop.stop_requested()) written = error(Code::kUnavailable, "the server was stopped while it ran");
    if (written) written = make_visible();
    if (written) return std::move(outcome_);
    outcome_.failure_reason = written.error().message();
    if (writing_) {
      if (auto cleaned = delete_leftovers(place_, order_.name); !cleaned) outcome_.failure_reason += "; what it wrote could not be removed: " + cleaned.error().message();
    }
    return finish("Failed");
  }

 private:
  BackupSpec read_spec() {
    auto& problems = outcome_.validation_errors;
    auto document = parse_object(order_.spec);
    if (!document) problems.push_back("spec: " + document.error().message());
    if (auto good = check_backup_name(order_.name); !good) problems.push_back(good.error().message());
    BackupSpec spec = parse_backup_spec(document ? *document : json::object(), problems);
    if (!spec.resource_policy.empty() && problems.empty()) read_policies(spec, problems);
    spec_document_ = spec.document;
    ttl_ms_ = spec.ttl_ms;
    return spec;
  }

  void read_policies(BackupSpec& spec, std::vector<std::string>& problems) {
    const std::string where = order_.name_space + "/" + spec.resource_policy;
    const auto text = client_.get("/api/v1/namespaces/" + order_.name_space + "/configmaps/" + spec.resource_policy);
    if (!text) return problems.push_back("invalid resource policies: fail to get ResourcePolicies " + where + " ConfigMap: " + text.error().message());
    auto parsed = ResourcePolicies::parse(object_or_empty(*text));
    if (!parsed) return problems.push_back("invalid resource policies: ConfigMap " + where + ": " + parsed.error().message());
    if (parsed->filters() && spec.older_filters()) {
      problems.push_back("include-resources, exclude-resources and include-cluster-resources are old filter parameters.\n"
                         "They cannot be used with include-exclude policies.");
    }
    spec.policies = std::move(*parsed);
  }

  Result<void> write(const BackupSpec& spec) {
    if (restore_point_document(place_, order_.name)) return error(Code::kAlreadyExists, "backup already exists in object storage");
    log_.info("Reading what the API server offers");
    HF_TRY(const std::string version, client_.get("/version"));
    server_ = object_or_empty(version);
    HF_TRY(const Discovery discovery, Discovery::read(client_));
    for (const MissingGroup& m : discovery.missing()) log_.error("", "API group " + m.group_version + ": " + m.reason);
    writing_ = true;
    ObjectStream stream(*place_.store, place_.bucket, key(order_.name + ".tar.gz"), "application/gzip");
    ArchiveWriter archive([&](ByteSpan bytes) { return stream.append(bytes); });
    HF_CHECK(archive.begin());
    PodBackupHooks hooks(spec.hooks, discovery, [this](HookPhase phase, const PodCommand& command) { return run_hook_command(phase, command); }, log_);
    Collector collector(client_, discovery, spec, order_.name, archive, hooks, log_, progress_.items);
    const auto collected = collector.run();
    hooks_attempted_ = hooks.attempted();
    hooks_failed_ = hooks.failed();
    HF_CHECK(collected);
    HF_CHECK(archive.finish());
    HF_CHECK(stream.finish());
    progress_.finalizing = true;
    outcome_.items = collector.items().size();
    HF_CHECK(put("-resource-list.json.gz", collector.items().resource_list_json()));
    HF_CHECK(put("-volumeinfo.json.gz", collector.volumes().json_text()));
    HF_CHECK(put("-podvolumebackups.json.gz", "null"));
    HF_CHECK(put("-volumesnapshots.json.gz", "null"));
    HF_CHECK(put("-itemoperations.json.gz", "[]"));
    log_.info("Backed up a total of " + std::to_string(outcome_.items) + " items");
    HF_CHECK(put("-results.gz", log_.results_json()));
    outcome_.warnings = log_.warnings();
    outcome_.errors = log_.errors();
    return put_object(*place_.store, place_.bucket, key(order_.name + "-logs.gz"), log_.finish(), "application/gzip");
  }

  // What a pre hook has halted, its post hook sets going again, also when the server is being stopped; but then soon.
  Result<CommandOutput> run_hook_command(HookPhase phase, PodCommand command) {
    if (phase == HookPhase::kPre) return run_in_pod(client_, command);
    if (client_.stopped()) {
      const auto now = std::chrono::steady_clock::now();
      if (!hooks_end_) hooks_end_ = now + kLastPostHooks;
      if (now >= *hooks_end_) return error(Code::kUnavailable, "it was not run: the server is being stopped");
      command.timeout = std::min({command.timeout, kLastPostHook, std::chrono::ceil<std::chrono::milliseconds>(*hooks_end_ - now)});
    }
    return run_in_pod(post_hook_client_, command);
  }

  std::string key(const std::string& file) const { return restore_point_key(place_, order_.name, file); }
  Result<void> put(const char* suffix, const std::string& content) {
    return put_object(*place_.store, place_.bucket, key(order_.name + suffix), gzip(content), "application/gzip");
  }

  BackupOutcome finish(const char* phase) {
    outcome_.phase = phase;
    outcome_.document = json::serialize(document());
    return std::move(outcome_);
  }

  Result<void> make_visible() {
    outcome_.phase = outcome_.errors > 0 ? "PartiallyFailed" : "Completed";
    outcome_.document = json::serialize(document());
    return put_object(*place_.store, place_.bucket, key("velero-backup.json"), outcome_.document, "application/json");
  }

  json::object document() const {
    const int64_t now_ms = services_.clock->wall_ms();
    json::object labels{{kLocationLabel, "default"}}, annotations;
    for (const auto& [k, v] : order_.labels) labels[k] = v;
    for (const auto& [k, v] : order_.annotations) annotations[k] = v;
    annotations["velero.io/source-cluster-k8s-gitversion"] = view_at(server_, "gitVersion");
    annotations["velero.io/source-cluster-k8s-major-version"] = view_at(server_, "major");
    annotations["velero.io/source-cluster-k8s-minor-version"] = view_at(server_, "minor");
    annotations["velero.io/resource-timeout"] = "10m0s";
    json::object metadata{{"name", order_.name}, {"namespace", order_.name_space},
                          {"uid", order_.uid.empty() ? new_uuid(*services_.random) : order_.uid},
                          {"creationTimestamp", rfc3339(started_ms_)}, {"labels", std::move(labels)}, {"annotations", std::move(annotations)}};
    json::object spec = spec_document_;
    if (!spec.contains("storageLocation")) spec["storageLocation"] = "default";
    json::object status{{"version", 1}, {"formatVersion", kFormatVersion}, {"phase", outcome_.phase},
                        {"startTimestamp", rfc3339(started_ms_)}, {"completionTimestamp", rfc3339(now_ms)},
                        {"expiration", rfc3339(started_ms_ + ttl_ms_)},
                        {"progress", json::object{{"totalItems", outcome_.items}, {"itemsBackedUp", outcome_.items}}},
                        {"hookStatus", hook_status(hooks_attempted_, hooks_failed_)}};
    if (outcome_.warnings > 0) status["warnings"] = outcome_.warnings;
    if (outcome_.errors > 0) status["errors"] = outcome_.errors;
    if (!outcome_.failure_reason.empty()) status["failureReason"] = outcome_.failure_reason;
    if (!outcome_.validation_errors.empty()) status["validationErrors"] = json::array(outcome_.validation_errors.begin(), outcome_.validation_errors.end());
    return {{"kind", "Backup"}, {"apiVersion", "velero.io/v1"}, {"metadata", std::move(metadata)}, {"spec", std::move(spec)}, {"status", std::move(status)}};
  }

  const BackupPlace& place_;
  const BackupOrder& order_;
  const EngineServices services_;
  BackupProgress& progress_;
  ApiClient client_, post_hook_client_;
  RunLog log_;
  const int64_t started_ms_;
  uint64_t hooks_attempted_ = 0, hooks_failed_ = 0;
  std::optional<std::chrono::steady_clock::time_point> hooks_end_;
  int64_t ttl_ms_ = kDefaultTtlMs;
  bool writing_ = false;  // something of ours may be in the directory
  json::object spec_document_, server_;
  BackupOutcome outcome_;
};

}  // namespace

BackupOutcome back_up(const ClusterAccess& access, const BackupPlace& place, const BackupOrder& order, EngineServices services,
                      BackupProgress& progress, std::stop_token stop) {
  Run run(access, place, order, services, progress);
  return run.run(std::move(stop));
}

}  // namespace holdfast::k8s
