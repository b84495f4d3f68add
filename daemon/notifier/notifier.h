// Tells events to webhooks: one POST of JSON each, in order, again for a quarter of an hour where it is not taken.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>

#include "daemon/notifier/webhook_registry.h"
#include "storage/base/clock.h"
#include "storage/base/worker.h"

namespace holdfast {

struct NotifierParts {
  SettingsStore* settings = nullptr;
  Clock* clock = nullptr;
  std::string appliance_id;
};

// Events that nobody took by the daemon's end are not told any more. Thread-safe.
class Notifier final : public WebhookService {
 public:
  explicit Notifier(NotifierParts parts) : p_(std::move(parts)), registry_(*p_.settings) {}
  ~Notifier() override { stop(); }
  // Ends running deliveries; later events are dropped.
  void stop();

  // Returns at once. Of one webhook at most 1,000 wait; then the oldest is lost.
  void tell(Event event);

  Result<void> put_webhook(const NewWebhook& webhook) override;
  std::vector<WebhookStatus> webhooks() const override;
  Result<void> remove_webhook(const std::string& name) override;
  Result<void> test_webhook(const std::string& name) override;
  std::vector<std::string> alarms() const override;

 private:
  struct Line {
    std::deque<std::pair<EventKind, std::string>> waiting;  // bodies, oldest first
    unsigned tries = 0;  // of the first of them
    int64_t not_before_ms = 0;  // monotonic: its next try
    uint64_t delivered = 0, lost = 0;
    int64_t last_delivered_ms = 0;
    std::string problem;
    std::unique_ptr<Worker> worker;  // its end may take a second: never under the lock
  };
  Line& line_of(const std::string& name);
  std::chrono::milliseconds deliver(const std::string& name, const std::stop_token& stop);
  std::chrono::milliseconds note_failure(Line& line, const std::string& name, const std::string& why);

  const NotifierParts p_;
  WebhookRegistry registry_;
  mutable std::mutex mutex_;
  bool stopped_ = false;
  std::map<std::string, Line> lines_;
};

}  // namespace holdfast
