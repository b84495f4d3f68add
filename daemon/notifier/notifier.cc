#include "daemon/notifier/notifier.h"

#include <boost/json.hpp>

#include "storage/base/digest.h"
#include "storage/base/log.h"
#include "storage/base/times.h"
#include "storage/net/http_client.h"

namespace holdfast {

namespace json = boost::json;

namespace {

using std::chrono::milliseconds;

constexpr size_t kMostWaiting = 1000;
constexpr std::chrono::hours kIdle{1};
constexpr milliseconds kDeadline{15'000};
constexpr std::array<int64_t, 6> kWaitsMs{1'000, 5'000, 30'000, 60'000, 240'000, 600'000};  // between tries; then it is lost

std::string body_of(const Event& e, const std::string& appliance, const char* name) {
  return json::serialize(json::object{{"event", name}, {"time", rfc3339(e.time_ms)}, {"appliance", appliance}, {"cluster", e.cluster}, {"policy", e.policy}, {"tier", e.tier},
                                      {"backup", e.backup}, {"site", e.site}, {"text", e.text}});
}

// A URL's path and query may well be what gives access: errors name the host alone.
std::string without_path(std::string text, const std::string& url) {
  const std::string origin = url.substr(0, url.find_first_of("/?#", url.find("://") + 3));
  for (size_t at = text.find(url); at != std::string::npos; at = text.find(url, at + origin.size())) text.replace(at, url.size(), origin);
  return text;
}

// No error: the receiver has taken it. No secret is in one.
Result<void> post(const NewWebhook& w, const std::string& event, const std::string& body, const std::stop_token& stop) {
  HttpClient client({w.url, w.ca_pem, "", "", "", ""});
  ClientRequest request;
  request.method = "POST";
  request.headers.add("content-type", "application/json");
  request.headers.add("x-holdfast-event", event);
  if (!w.secret.empty()) request.headers.add("x-holdfast-signature", "sha256=" + hex(as_bytes(hmac_sha256(w.secret, body))));
  request.body = body;
  request.deadline = kDeadline;
  request.stop = stop;
  const auto answer = client.send(request, 64 << 10);
  if (!answer) return error(answer.error().code(), without_path(answer.error().message(), w.url));
  if (answer->status / 100 == 2) return {};
  return error(Code::kUnavailable, "the receiver answers with status " + std::to_string(answer->status));
}

}  // namespace

void Notifier::stop() {
  std::map<std::string, Line> ending;
  std::lock_guard lock(mutex_);
  stopped_ = true;
  ending.swap(lines_);
}

Notifier::Line& Notifier::line_of(const std::string& name) {
  Line& line = lines_[name];
  if (!line.worker) line.worker = std::make_unique<Worker>("webhook " + name, [this, name](std::stop_token stop) { return deliver(name, stop); });
  return line;
}

void Notifier::tell(Event event) {
  const auto all = registry_.all();
  std::lock_guard lock(mutex_);
  if (stopped_) return;
  for (const NewWebhook& w : all) {
    if (!wants(w, event.kind)) continue;
    Line& line = line_of(w.name);
    if (line.waiting.size() == kMostWaiting) {
      line.waiting.pop_front();
      line.tries = 0;
      ++line.lost;
    }
    line.waiting.emplace_back(event.kind, body_of(event, p_.appliance_id, name_of(event.kind)));
    line.worker->wake();
  }
}

milliseconds Notifier::note_failure(Line& line, const std::string& name, const std::string& why) {
  line.problem = why;
  if (line.tries < kWaitsMs.size()) {
    const int64_t wait_ms = kWaitsMs[line.tries++];
    line.not_before_ms = p_.clock->monotonic_ms() + wait_ms;
    return milliseconds(wait_ms);
  }
  spdlog::error("webhook {}: an event is not told: {}", name, why);
  line.waiting.pop_front();
  line.tries = 0;
  ++line.lost;
  return milliseconds(0);
}

milliseconds Notifier::deliver(const std::string& name, const std::stop_token& stop) {
  const auto webhook = registry_.find(name);
  std::pair<EventKind, std::string> first;
  {
    std::lock_guard lock(mutex_);
    const auto line = lines_.find(name);
    if (!webhook || line == lines_.end() || line->second.waiting.empty()) return kIdle;
    // A later event wakes this thread, too; the first one has its time all the same.
    if (const int64_t left_ms = line->second.not_before_ms - p_.clock->monotonic_ms(); line->second.tries > 0 && left_ms > 0) return milliseconds(left_ms);
    first = line->second.waiting.front();
  }
  const auto told = post(*webhook, name_of(first.first), first.second, stop);
  std::lock_guard lock(mutex_);
  const auto line = lines_.find(name);
  // It was removed, or the oldest was dropped meanwhile.
  if (line == lines_.end() || line->second.waiting.empty() || line->second.waiting.front() != first) return milliseconds(0);
  if (!told) return note_failure(line->second, name, told.error().message());
  line->second.waiting.pop_front();
  line->second.tries = 0;
  line->second.problem.clear();
  ++line->second.delivered;
  line->second.last_delivered_ms = p_.clock->wall_ms();
  return milliseconds(0);
}

Result<void> Notifier::put_webhook(const NewWebhook& webhook) {
  HF_CHECK(registry_.put(webhook));
  std::lock_guard lock(mutex_);
  const auto line = lines_.find(webhook.name);
  if (line == lines_.end()) return {};
  line->second.tries = 0;  // whatever was wrong may be right now
  line->second.problem.clear();
  if (line->second.worker) line->second.worker->wake();
  return {};
}

Result<void> Notifier::remove_webhook(const std::string& name) {
  HF_CHECK(registry_.remove(name));
  std::map<std::string, Line>::node_type ending;
  std::lock_guard lock(mutex_);
  ending = lines_.extract(name);
  return {};
}

Result<void> Notifier::test_webhook(const std::string& name) {
  HF_TRY(const NewWebhook webhook, registry_.find(name));
  Event event;
  event.text = "this is a test of webhook \"" + name + "\"";
  event.time_ms = p_.clock->wall_ms();
  if (auto sent = post(webhook, "test", body_of(event, p_.appliance_id, "test"), {}); !sent) return error(Code::kUnavailable, "webhook \"" + name + "\": " + sent.error().message());
  return {};
}

std::vector<WebhookStatus> Notifier::webhooks() const {
  const auto all = registry_.all();
  std::vector<WebhookStatus> out;
  std::lock_guard lock(mutex_);
  for (const NewWebhook& w : all) {
    WebhookStatus s{w.name, w.url, !w.secret.empty(), w.events, 0, 0, 0, 0, ""};
    if (const auto line = lines_.find(w.name); line != lines_.end()) {
      const Line& l = line->second;
      s.delivered = l.delivered;
      s.lost = l.lost;
      s.waiting = l.waiting.size();
      s.last_delivered_ms = l.last_delivered_ms;
      s.problem = l.problem;
    }
    out.push_back(std::move(s));
  }
  return out;
}

std::vector<std::string> Notifier::alarms() const {
  std::vector<std::string> out;
  for (const WebhookStatus& w : webhooks()) {
    if (!w.problem.empty()) out.push_back("webhook \"" + w.name + "\" is not told what happens: " + w.problem);
  }
  return out;
}

}  // namespace holdfast
