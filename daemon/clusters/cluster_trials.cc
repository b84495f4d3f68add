#include "daemon/clusters/cluster_trials.h"

#include "storage/base/log.h"

namespace holdfast {

namespace {

const std::string kNotes = "trial/";  // CLUSTER/ID, with the cluster whose restore point it is about
constexpr std::chrono::milliseconds kCleanPatience{60'000};

std::string note_of(const std::string& cluster, const std::string& id) { return kNotes + cluster + "/" + id; }

std::string records_prefix(const std::string& cluster) { return "holdfast/trials/" + cluster + "/"; }

std::string new_id(Random& random) {
  Bytes bytes(4);
  random.fill(bytes);
  return hex(bytes);
}

}  // namespace

Result<k8s::PointCheck> ClusterTrials::read_point(const std::string& cluster, const std::string& backup, std::stop_token stop) {
  HF_TRY(const RegisteredCluster c, registry_.find(cluster));
  return k8s::check_point(place_of(c), backup, std::move(stop));
}

Result<k8s::TrialOutcome> ClusterTrials::try_point(const std::string& cluster, const std::string& backup, const VerificationRule& rule, k8s::TrialProgress& progress, std::stop_token stop) {
  HF_TRY(const RegisteredCluster source, registry_.find(cluster));
  HF_TRY(const RegisteredCluster target, registry_.find(rule.into.empty() ? cluster : rule.into));
  k8s::TrialOrder order;
  order.id = new_id(*p_.random);
  order.source = place_of(source);
  order.backup = backup;
  HF_CHECK(k8s::restore_point_document(order.source, backup));
  order.records = {p_.objects, source.status.bucket, records_prefix(cluster)};
  order.namespaces = rule.namespaces;
  order.left_out = {source.status.name_space};
  order.excluded_resources = rule.excluded_resources;
  order.custom_resources = rule.custom_resources;
  order.isolated = rule.isolated;
  order.ready_within = std::chrono::milliseconds(rule.ready_within_ms);
  order.checks = rule.checks;
  order.spool_directory = p_.spool_directory;
  const std::string note = note_of(target.status.name, order.id);
  HF_CHECK(p_.settings->put_setting(note, cluster));
  k8s::TrialOutcome outcome = k8s::try_restore(target.access, order, {p_.clock, p_.random}, progress, std::move(stop));
  if (outcome.not_removed.empty()) HF_CHECK(p_.settings->put_setting(note, ""));
  return outcome;
}

Result<k8s::PointEvidence> ClusterTrials::evidence(const std::string& cluster, const std::string& backup) {
  HF_TRY(const RegisteredCluster c, registry_.find(cluster));
  HF_CHECK(k8s::restore_point_document(place_of(c), backup));
  return k8s::read_evidence(place_of(c), backup);
}

Result<void> ClusterTrials::put_evidence(const std::string& cluster, const std::string& backup, const k8s::PointEvidence& evidence) {
  HF_TRY(const RegisteredCluster c, registry_.find(cluster));
  return k8s::write_evidence(place_of(c), backup, evidence);
}

Result<void> ClusterTrials::clean_up() {
  Result<void> all;
  for (const std::string& note : p_.settings->setting_names(kNotes)) {
    const size_t slash = note.find('/', kNotes.size());
    const std::string cluster = note.substr(kNotes.size(), slash - kNotes.size()), id = note.substr(slash + 1);
    if (const auto source = registry_.find(p_.settings->setting(note).value_or(""))) {
      (void)k8s::delete_restore_records({p_.objects, source->status.bucket, records_prefix(source->status.name)}, k8s::trial_restore_name(id));
    }
    const auto target = registry_.find(cluster);
    // Of a cluster that is no longer registered nothing can be removed.
    const auto removed = target ? k8s::remove_trial(target->access, id, *p_.clock, kCleanPatience) : Result<void>();
    if (removed) {
      HF_CHECK(p_.settings->put_setting(note, ""));
      if (target) spdlog::info("cluster {}: what the trial {} had left is removed", cluster, id);
    } else {
      all = error(removed.error().code(), "namespaces of the trial " + id + " are left in cluster \"" + cluster + "\": " + removed.error().message());
      spdlog::warn("{}", all.error().message());
    }
  }
  return all;
}

}  // namespace holdfast
