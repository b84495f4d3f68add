#include "k8s/velero_server.h"

#include <algorithm>
#include <map>
#include <thread>

#include "k8s/velero/delete_controller.h"
#include "k8s/velero/installation.h"
#include "k8s/velero/location_controller.h"
#include "k8s/velero/other_server.h"
#include "k8s/velero/request_controllers.h"
#include "k8s/velero/restore_controller.h"
#include "k8s/velero/schedule_controller.h"
#include "storage/base/log.h"

namespace holdfast::k8s {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLookForRole{500};
constexpr milliseconds kFirstRetry{1'000};
constexpr milliseconds kLongestRetry{60'000};
constexpr milliseconds kInstallRetry{10'000};
constexpr milliseconds kInstallEvery{300'000};
constexpr milliseconds kLocationWait{50};
constexpr int kLocationTries = 100;

// What the server needs in the cluster, also when somebody has deleted it.
class Installer final : public Controller {
 public:
  Installer(const ServerContext& context, const Ownership& ownership) : c_(context), ownership_(ownership) {}
  Result<LookAgain> reconcile(const std::string&) override {
    const Role role = ownership_.role();
    if (role == Role::kObserving) return std::nullopt;
    HF_CHECK(install_definitions(c_.client, c_.options.name_space));
    if (role != Role::kServing) return kInstallRetry;
    HF_CHECK(install_location(c_.client, c_.options.name_space, c_.options.location));
    // Nobody is to be told that there is no location while the watch has not brought it yet.
    for (int i = 0; !done_ && !c_.objects.find(Kind::kLocation, kLocationName) && i < kLocationTries; ++i) {
      if (!c_.client.pause(kLocationWait)) break;
    }
    if (!done_) c_.queue.add({Topic::kEverything, ""});
    done_ = true;
    return kInstallEvery;
  }
  // Before that nothing is answered.
  bool is_done() const { return done_; }

 private:
  bool done_ = false;
  const ServerContext& c_;
  const Ownership& ownership_;
};

class Server final : public VeleroServer {
 public:
  Server(const ClusterAccess& access, VeleroServerOptions options, VeleroAppliance& appliance)
      : options_(std::move(options)), client_(access, *options_.services.clock, client_options()), queue_(*options_.services.clock),
        ownership_(client_, options_.name_space, {options_.appliance_id, options_.generation}, *options_.services.clock, [this] { look_at_everything(); }),
        objects_(client_, options_.name_space, ownership_, [this](Kind kind, const std::string& name) { queue_.add(work_on(kind, name)); }),
        context_{options_, client_, objects_, queue_, appliance, std::make_shared<RunGate>()}, locations_(context_), backups_(context_, locations_), restores_(context_, locations_),
        schedules_(context_), others_(*options_.services.clock), location_controller_(context_, locations_, others_),
        sync_(context_, locations_, ownership_, others_), deletions_(context_, locations_, backups_),
        downloads_(context_, locations_), statuses_(context_), installer_(context_, ownership_) {
    controllers_ = {{Topic::kBackup, &backups_},          {Topic::kRestore, &restores_},      {Topic::kSchedule, &schedules_},
                    {Topic::kLocation, &location_controller_}, {Topic::kSync, &sync_},         {Topic::kDeleteRequest, &deletions_},
                    {Topic::kDownloadRequest, &downloads_},  {Topic::kStatusRequest, &statuses_},
                    {Topic::kInstall, &installer_}};
    worker_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
  }

  ~Server() override {
    worker_.request_stop();
    ownership_.stop();  // gives the Lease back, while calls still go out
    client_.stop();
    context_.gate->close();
    worker_.join();
    objects_.stop();
  }

  VeleroServerStatus status() const override {
    const Role role = ownership_.role();
    VeleroServerStatus s{role == Role::kServing ? "serving" : role == Role::kObserving ? "observing" : "starting", ownership_.reason(), role == Role::kServing ? others_.alarm() : ""};
    std::lock_guard lock(mutex_);
    if (!problem_.empty() && role != Role::kObserving) s = {"starting", problem_, ""};
    return s;
  }

  std::vector<KnownSchedule> schedules() const override {
    std::vector<KnownSchedule> all;
    for (const ObjectRef& schedule : objects_.all(Kind::kSchedule)) all.push_back(known_schedule(*schedule, objects_.backups_of(name_of(*schedule)), options_.services.clock->wall_ms()));
    std::sort(all.begin(), all.end(), [](const KnownSchedule& a, const KnownSchedule& b) { return a.name < b.name; });
    return all;
  }

  BackupOutcome back_up_by_other(const BackupPlace& place, const BackupOrder& order, BackupProgress& progress, std::stop_token stop) override {
    return k8s::back_up_by_other(context_, locations_, place, order, progress, stop);
  }
  Result<void> delete_by_other(const std::string& backup) override { return k8s::delete_by_other(context_, backup); }

  void wake() override {
    for (const ObjectRef& location : objects_.all(Kind::kLocation)) queue_.add({Topic::kSync, name_of(*location)});
  }

 private:
  static ApiClientOptions client_options() {
    ApiClientOptions o;
    // One that hangs must not keep all others from their answers for long: what failed is tried again by itself.
    o.call_deadline = milliseconds(15'000);
    o.retry_for = milliseconds(5'000);
    return o;
  }

  void look_at_everything() {
    for (const Kind kind : kAllKinds) {
      for (const ObjectRef& object : objects_.all(kind)) queue_.add(work_on(kind, name_of(*object)));
    }
    queue_.add({Topic::kInstall, ""});
    wake();
  }

  // The definitions, the namespace, and a first look at what is there. False: stopped.
  bool prepare(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      auto ready = install_definitions(client_, options_.name_space);
      set_problem(ready ? "" : ready.error().message());
      if (ready) break;
      if (!client_.pause(kInstallRetry)) return false;
    }
    ownership_.start();
    objects_.start();
    while (!objects_.are_complete()) {
      if (!client_.pause(kLookForRole)) return false;
    }
    return true;
  }

  void set_problem(const std::string& problem) {
    std::lock_guard lock(mutex_);
    if (problem != problem_ && !problem.empty()) spdlog::error("{}: velero.io objects are not served: {}", client_.server(), problem);
    problem_ = problem;
  }

  void work(const std::stop_token& stop) {
    if (!prepare(stop)) return;
    look_at_everything();
    while (const auto key = queue_.next(stop)) {
      // Everything comes again when that changes.
      const bool answering = ownership_.role() == Role::kServing && installer_.is_done();
      if (key->topic == Topic::kEverything) look_at_everything();
      else if (answering || key->topic == Topic::kInstall) reconcile(*key);
    }
  }

  void reconcile(const WorkKey& key) {
    const auto again = controllers_.at(key.topic)->reconcile(key.name);
    if (again) {
      failures_.erase(key);
      if (*again) queue_.add(key, **again);
      return;
    }
    // Somebody was faster, once: the watch brings what it is now.
    const bool conflict = again.error().code() == Code::kFailedPrecondition && !failures_.contains(key);
    milliseconds& wait = failures_[key];
    wait = wait.count() == 0 ? kFirstRetry : std::min(wait * 2, kLongestRetry);
    if (!conflict) spdlog::warn("{} {}: {}", client_.server(), key.name, again.error().message());
    queue_.add(key, wait);
  }

  const VeleroServerOptions options_;
  ApiClient client_;
  WorkQueue<WorkKey> queue_;
  Ownership ownership_;
  Objects objects_;
  const ServerContext context_;
  Locations locations_;
  BackupController backups_;
  RestoreController restores_;
  ScheduleController schedules_;
  OtherWriters others_;
  LocationController location_controller_;
  BackupSync sync_;
  DeleteController deletions_;
  DownloadRequests downloads_;
  StatusRequests statuses_;
  Installer installer_;
  std::map<Topic, Controller*> controllers_;
  std::map<WorkKey, milliseconds> failures_;
  mutable std::mutex mutex_;
  std::string problem_;
  std::jthread worker_;
};

}  // namespace

std::unique_ptr<VeleroServer> VeleroServer::start(const ClusterAccess& access, VeleroServerOptions options, VeleroAppliance& appliance) {
  return std::make_unique<Server>(access, std::move(options), appliance);
}

Result<void> release_restores(const ClusterAccess& access, const std::string& name_space, Clock& clock) {
  ApiClient client(access, clock);
  const std::string collection = collection_of(Kind::kRestore, name_space);
  std::vector<std::pair<std::string, json::array>> bound;
  auto listed = client.list(collection, {}, [&](std::string_view raw) -> Result<void> {
    const json::object restore = object_or_empty(raw);
    if (auto others = finalizers_without_ours(restore)) bound.emplace_back(name_of(restore), std::move(*others));
    return {};
  });
  if (!listed && listed.error().code() == Code::kNotFound) return {};  // no such kind there
  if (!listed) return std::unexpected(listed.error());
  for (auto& [name, others] : bound) {
    const json::object patch{{"metadata", json::object{{"finalizers", std::move(others)}}}};
    const auto done = client.call("PATCH", collection + "/" + name, json::serialize(patch), kMergePatch);
    if (!done && done.error().code() != Code::kNotFound) return std::unexpected(done.error());
  }
  return {};
}

}  // namespace holdfast::k8s
