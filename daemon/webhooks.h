// Where events are told; as the admin API and the command line see it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/base/status.h"

namespace holdfast {

struct NewWebhook {
  std::string name;
  std::string url;                  // http:// or https://, of the receiver
  std::string secret;               // what is sent is signed with; empty: it is not
  std::string ca_pem;               // that vouches for it; empty: the system's authorities
  std::vector<std::string> events;  // by name; empty: all
};

struct WebhookStatus {
  std::string name, url;
  bool is_signed = false;
  std::vector<std::string> events;
  uint64_t delivered = 0, lost = 0, waiting = 0;  // since the daemon's start
  int64_t last_delivered_ms = 0;
  std::string problem;                            // why the last one is not delivered; empty: it is
};

// Thread-safe.
class WebhookService {
 public:
  virtual ~WebhookService() = default;
  // One of that name is replaced. kInvalidArgument.
  virtual Result<void> put_webhook(const NewWebhook& webhook) = 0;
  virtual std::vector<WebhookStatus> webhooks() const = 0;
  virtual Result<void> remove_webhook(const std::string& name) = 0;
  // Sends one event that says that it is a test, and waits for the answer.
  virtual Result<void> test_webhook(const std::string& name) = 0;
  // A line for each that does not get what it is to get.
  virtual std::vector<std::string> alarms() const = 0;
};

}  // namespace holdfast
