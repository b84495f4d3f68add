// The webhooks that are known, in the settings; their secrets are sealed there like everything else of an encrypted pool.
#pragma once

#include "daemon/events.h"
#include "daemon/webhooks.h"
#include "storage/bucket_store.h"

namespace holdfast {

// Thread-safe.
class WebhookRegistry {
 public:
  explicit WebhookRegistry(SettingsStore& settings) : settings_(settings) {}
  // By name. One that cannot be read is left out.
  std::vector<NewWebhook> all() const;
  // kNotFound.
  Result<NewWebhook> find(const std::string& name) const;
  // kInvalidArgument: it cannot be meant.
  Result<void> put(const NewWebhook& webhook);
  Result<void> remove(const std::string& name);

 private:
  SettingsStore& settings_;
};

bool wants(const NewWebhook& webhook, EventKind kind);

}  // namespace holdfast
