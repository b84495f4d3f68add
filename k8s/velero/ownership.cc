#include "k8s/velero/ownership.h"

#include "k8s/velero/kinds.h"
#include "storage/base/log.h"
#include "storage/base/times.h"

namespace holdfast::k8s {

namespace {

constexpr std::chrono::milliseconds kLookEvery{2'000};
constexpr int64_t kRenewEveryMs = 10'000;
constexpr int64_t kLeaseSeconds = 30;
constexpr int64_t kForeignQuietMs = 600'000;  // after the last status that another wrote
constexpr int64_t kLastWordsMs = 5'000;        // how late the writes of an earlier server may be seen
constexpr const char* kLeaseName = "holdfast";
constexpr const char* kGeneration = "holdfast.io/generation";
constexpr const char* kLeases = "/apis/coordination.k8s.io/v1/namespaces/";

bool runs_velero(const json::object& deployment) {
  const json::object& spec = object_at(deployment, "spec");
  const bool scaled_down = spec.contains("replicas") && count_at(spec, "replicas") == 0;
  // Scaled to nothing, its last pod may still be about.
  if (scaled_down && count_at(object_at(deployment, "status"), "replicas") == 0) return false;
  const json::object& pod = object_at(object_at(spec, "template"), "spec");
  for (const json::value& c : array_at(pod, "containers")) {
    if (c.is_object() && view_at(c.get_object(), "name") == "velero") return true;
  }
  return false;
}

uint64_t generation_of(const json::object& lease) {
  const std::string text = text_at(object_at(object_at(lease, "metadata"), "annotations"), kGeneration);
  return text.empty() || text.size() > 18 || text.find_first_not_of("0123456789") != std::string::npos ? 0 : std::stoull(text);
}

// metav1.MicroTime
std::string micro_time(int64_t unix_ms) {
  std::string text = iso8601(unix_ms);
  text.insert(text.size() - 1, "000");
  return text;
}

}  // namespace

std::string Ownership::lease_path() const { return kLeases + name_space_ + "/leases"; }

void Ownership::start() {
  std::lock_guard lock(life_mutex_);
  if (stopped_) return;
  worker_ = std::make_unique<Worker>("ownership", [this](std::stop_token) {
    std::lock_guard looking(look_mutex_);
    set(look());
    return kLookEvery;
  });
}

void Ownership::stop() {
  std::unique_ptr<Worker> ending;
  {
    std::lock_guard lock(life_mutex_);
    stopped_ = true;
    ending = std::move(worker_);
  }
  if (!ending) return;
  ending->stop();
  if (role() != Role::kServing) return;
  const auto lease = client_.get(lease_path() + "/" + kLeaseName);
  if (!lease) return;
  json::object document = object_or_empty(*lease);
  json::object* spec = object_in(document, "spec");
  if (spec == nullptr || view_at(*spec, "holderIdentity") != identity_.appliance_id || generation_of(document) != identity_.generation) return;
  (*spec)["holderIdentity"] = "";
  (void)client_.call("PUT", lease_path() + "/" + kLeaseName, json::serialize(document));
}

Role Ownership::role() const {
  std::lock_guard lock(mutex_);
  return now_.role;
}

int64_t Ownership::term() const {
  std::lock_guard lock(mutex_);
  return serving_since_ms_;
}

std::string Ownership::reason() const {
  std::lock_guard lock(mutex_);
  return now_.reason;
}

void Ownership::set(Finding finding) {
  {
    std::lock_guard lock(mutex_);
    if (finding.role == now_.role && finding.reason == now_.reason) return;
    const bool changed = finding.role != now_.role;
    if (changed && finding.role == Role::kServing) serving_since_ms_ = clock_.monotonic_ms();
    now_ = finding;
    if (!changed) return;
  }
  const std::string where = client_.server() + " namespace " + name_space_;
  if (finding.role == Role::kServing) spdlog::info("{}: serving its velero.io objects", where);
  if (finding.role == Role::kObserving) spdlog::error("{}: not serving its velero.io objects: {}", where, finding.reason);
  if (finding.role == Role::kStarting) spdlog::warn("{}: who serves its velero.io objects cannot be found out: {}", where, finding.reason);
  on_change_();
}

void Ownership::report_foreign_status(const std::string& what) {
  {
    std::lock_guard lock(mutex_);
    // Who observes sees nothing but what others write; and who has just begun may see their last words.
    if (now_.role != Role::kServing || clock_.monotonic_ms() - serving_since_ms_ < kLastWordsMs) return;
    foreign_ = what;
    foreign_until_ms_ = clock_.monotonic_ms() + kForeignQuietMs;
  }
  set({Role::kObserving, "another server writes here: " + what});
}

Result<void> Ownership::confirm() {
  std::lock_guard lock(look_mutex_);
  Finding finding = look();
  const Finding found = finding;
  set(std::move(finding));
  if (found.role == Role::kServing) return {};
  if (found.role == Role::kStarting) return error(Code::kUnavailable, found.reason);
  return error(Code::kFailedPrecondition, "this appliance does not serve these objects: " + found.reason);
}

Ownership::Finding Ownership::look() {
  const auto velero = find_velero();
  // Who cannot look must not write.
  if (!velero && velero.error().code() == Code::kPermissionDenied) return {Role::kObserving, "whether Velero runs there cannot be seen: " + velero.error().message()};
  if (!velero) return {Role::kStarting, velero.error().message()};
  if (!velero->empty()) return {Role::kObserving, "Velero runs there: " + *velero};
  {
    std::lock_guard lock(mutex_);
    if (clock_.monotonic_ms() < foreign_until_ms_) return {Role::kObserving, "another server writes here: " + foreign_};
  }
  auto lease = hold_lease();
  if (lease) return std::move(*lease);
  if (lease.error().code() == Code::kPermissionDenied) return {Role::kObserving, "the Lease cannot be held: " + lease.error().message()};
  return {Role::kStarting, lease.error().message()};
}

Result<std::string> Ownership::find_velero() {
  std::string found;
  const auto look_at = [&](std::string_view raw) -> Result<void> {
    const json::object deployment = object_or_empty(raw);
    if (runs_velero(deployment)) found = "deployment " + name_space_ + "/" + text_at(object_at(deployment, "metadata"), "name");
    return {};
  };
  HF_CHECK(client_.list("/apis/apps/v1/namespaces/" + name_space_ + "/deployments", {}, look_at));
  return found;
}

bool Ownership::has_expired(const json::object& spec) {
  // By this host's own clock: the other's may be wrong.
  const std::string renewal = text_at(spec, "holderIdentity") + text_at(spec, "renewTime");
  const int64_t now_ms = clock_.monotonic_ms();
  if (renewal != seen_renewal_) {
    seen_renewal_ = renewal;
    seen_renewal_ms_ = now_ms;
  }
  const uint64_t seconds = std::max<uint64_t>(count_at(spec, "leaseDurationSeconds"), 1);
  return now_ms - seen_renewal_ms_ > static_cast<int64_t>(seconds) * 1000;
}

json::object Ownership::lease_document(const json::object& previous) const {
  const std::string now = micro_time(clock_.wall_ms());
  json::object lease = previous;
  lease["apiVersion"] = "coordination.k8s.io/v1";
  lease["kind"] = "Lease";
  json::object metadata = object_at(previous, "metadata");
  metadata["name"] = kLeaseName;
  metadata["namespace"] = name_space_;
  json::object annotations = object_at(metadata, "annotations");
  annotations[kGeneration] = std::to_string(identity_.generation);
  metadata["annotations"] = std::move(annotations);
  metadata["labels"] = json::object{{kExcludeLabel, "true"}};
  lease["metadata"] = std::move(metadata);
  json::object spec = object_at(previous, "spec");
  if (view_at(spec, "holderIdentity") != identity_.appliance_id) {
    spec["acquireTime"] = now;
    spec["leaseTransitions"] = count_at(spec, "leaseTransitions") + 1;
  }
  spec["holderIdentity"] = identity_.appliance_id;
  spec["leaseDurationSeconds"] = kLeaseSeconds;
  spec["renewTime"] = now;
  lease["spec"] = std::move(spec);
  return lease;
}

Result<void> Ownership::write_lease(const json::object& previous) {
  const std::string document = json::serialize(lease_document(previous));
  // The version of what was read goes along: of two that write at once one is refused.
  if (previous.empty()) HF_CHECK(client_.call("POST", lease_path(), document));
  else HF_CHECK(client_.call("PUT", lease_path() + "/" + kLeaseName, document));
  renewed_ms_ = clock_.monotonic_ms();
  return {};
}

Result<Ownership::Finding> Ownership::hold_lease() {
  const auto text = client_.get(lease_path() + "/" + kLeaseName);
  if (!text && text.error().code() != Code::kNotFound) return std::unexpected(text.error());
  if (!text) {
    HF_CHECK(write_lease({}));
    return Finding{};
  }
  const json::object lease = object_or_empty(*text);
  const json::object& spec = object_at(lease, "spec");
  const std::string holder = text_at(spec, "holderIdentity");
  const uint64_t generation = generation_of(lease);
  if (holder == identity_.appliance_id && generation > identity_.generation) {
    return Finding{Role::kObserving, "this appliance was started again elsewhere, as generation " + std::to_string(generation)};
  }
  const bool ours = holder == identity_.appliance_id && generation == identity_.generation;
  if (ours && clock_.monotonic_ms() - renewed_ms_ < kRenewEveryMs) return Finding{};
  if (!holder.empty() && holder != identity_.appliance_id && !has_expired(spec)) {
    return Finding{Role::kObserving, "another appliance serves it: " + holder};
  }
  HF_CHECK(write_lease(lease));
  return Finding{};
}

}  // namespace holdfast::k8s
