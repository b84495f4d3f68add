// One server for the velero.io objects of a namespace, never two. Holdfast's own kind keep each other away with a Lease;
// Velero does not look at that, so its Deployment and what it writes are looked for.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "k8s/client/api_client.h"
#include "storage/base/worker.h"

namespace holdfast::k8s {

// An appliance, and which of its lives: of two with one id the higher generation is the living one.
struct ServerIdentity {
  std::string appliance_id;
  uint64_t generation = 0;
};

enum class Role {
  kStarting,   // it has not been found out yet
  kServing,    // this appliance answers to the objects
  kObserving,  // another server does; nothing is written
};

// Thread-safe.
class Ownership {
 public:
  // `on_change` on any thread, after the role has changed.
  Ownership(ApiClient& client, std::string name_space, ServerIdentity identity, Clock& clock, std::function<void()> on_change)
      : client_(client), name_space_(std::move(name_space)), identity_(std::move(identity)), clock_(clock), on_change_(std::move(on_change)) {}
  ~Ownership() { stop(); }

  // Does nothing after stop().
  void start();
  // Gives the Lease back.
  void stop();

  Role role() const;
  // Why it observes or cannot find out, for operators; empty while it serves.
  std::string reason() const;

  // Looks again, right now, whether this appliance is the server: before each write. kFailedPrecondition: it is not.
  Result<void> confirm();
  // Another one each time that this server begins to serve.
  int64_t term() const;
  // An object bears a status that this server did not write.
  void report_foreign_status(const std::string& what);

 private:
  struct Finding {
    Role role = Role::kServing;
    std::string reason;
  };
  Finding look();
  // The Deployment that runs Velero here; empty: none.
  Result<std::string> find_velero();
  Result<Finding> hold_lease();
  json::object lease_document(const json::object& previous) const;
  Result<void> write_lease(const json::object& previous);
  bool has_expired(const json::object& spec);
  void set(Finding finding);
  std::string lease_path() const;

  ApiClient& client_;
  const std::string name_space_;
  const ServerIdentity identity_;
  Clock& clock_;
  const std::function<void()> on_change_;

  std::mutex look_mutex_;  // one look at a time
  std::string seen_renewal_;  // of another's Lease, and when it was first seen
  int64_t seen_renewal_ms_ = 0;
  int64_t renewed_ms_ = 0;

  mutable std::mutex mutex_;
  Finding now_{Role::kStarting, "not found out yet"};
  std::string foreign_;  // the status that another wrote
  int64_t foreign_until_ms_ = 0;
  int64_t serving_since_ms_ = 0;
  std::mutex life_mutex_;
  bool stopped_ = false;
  std::unique_ptr<Worker> worker_;
};

}  // namespace holdfast::k8s
