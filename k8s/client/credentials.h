// What a request carries to prove who we are, renewed as it expires.
#pragma once

#include <memory>
#include <mutex>

#include "k8s/cluster_access.h"
#include "storage/base/clock.h"

namespace holdfast::k8s {

struct Credential {
  std::string bearer_token;                // empty: none
  std::string certificate_pem, key_pem;    // empty: none
  uint64_t generation = 0;                 // differs whenever the certificate does
};

// Thread-safe. Token files are read again after a minute; exec plugins run when their credential has expired or was
// rejected, for 30 s at most.
class Credentials {
 public:
  Credentials(const ClusterAccess& access, Clock& clock) : access_(access), clock_(clock) {}
  Result<Credential> current();
  // The server said 401 to what current() gave: the next call gets a fresh one. False: there is no other.
  bool reject();

 private:
  Result<void> read_token_file();
  Result<void> run_plugin();

  const ClusterAccess access_;
  Clock& clock_;
  std::mutex mutex_;
  bool fetched_ = false;
  int64_t valid_until_ms_ = 0;
  Credential credential_;
};

// Runs a plugin and reads what it prints: an ExecCredential. Expiry in milliseconds since 1970; 0: none.
struct PluginAnswer {
  Credential credential;
  int64_t expires_ms = 0;
};
Result<PluginAnswer> run_exec_plugin(const ExecPlugin& plugin, const ClusterAccess& cluster);
Result<PluginAnswer> parse_exec_credential(std::string_view text);

}  // namespace holdfast::k8s
