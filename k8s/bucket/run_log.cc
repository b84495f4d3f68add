#include "k8s/bucket/run_log.h"

#include <boost/json.hpp>

#include "storage/base/times.h"

namespace holdfast::k8s {

namespace json = boost::json;

namespace {

constexpr uint64_t kMaxKept = 10'000;

json::object shown(const std::map<std::string, std::vector<std::string>>& by_namespace) {
  json::object out, namespaces;
  for (const auto& [name, messages] : by_namespace) {
    json::array list(messages.begin(), messages.end());
    if (name.empty()) out["cluster"] = std::move(list);
    else namespaces[name] = std::move(list);
  }
  if (!namespaces.empty()) out["namespaces"] = std::move(namespaces);
  return out;
}

}  // namespace

RunLog::RunLog(Clock& clock, std::string subject)
    : clock_(clock), subject_(std::move(subject)), gzip_([this](ByteSpan bytes) -> Result<void> {
        out_ += as_text(bytes);
        return {};
      }) {}

void RunLog::line(const char* level, const std::string& message) {
  const std::string text = "time=\"" + rfc3339(clock_.wall_ms()) + "\" level=" + level + " msg=" +
                           json::serialize(json::value(message)) + " " + subject_ + "\n";
  (void)gzip_.append(text);
}

void RunLog::Messages::add(const std::string& name_space, const std::string& message) {
  if (++count <= kMaxKept) by_namespace[name_space].push_back(message);
}

void RunLog::info(const std::string& message) {
  std::lock_guard lock(mutex_);
  line("info", message);
}

void RunLog::warning(const std::string& name_space, const std::string& message) {
  std::lock_guard lock(mutex_);
  warnings_.add(name_space, message);
  line("warning", message);
}

void RunLog::error(const std::string& name_space, const std::string& message) {
  std::lock_guard lock(mutex_);
  errors_.add(name_space, message);
  line("error", message);
}

uint64_t RunLog::warnings() const {
  std::lock_guard lock(mutex_);
  return warnings_.count;
}

uint64_t RunLog::errors() const {
  std::lock_guard lock(mutex_);
  return errors_.count;
}

std::string RunLog::results_json() const {
  std::lock_guard lock(mutex_);
  return json::serialize(json::object{{"errors", shown(errors_.by_namespace)}, {"warnings", shown(warnings_.by_namespace)}});
}

std::string RunLog::finish() {
  std::lock_guard lock(mutex_);
  (void)gzip_.finish();
  return std::move(out_);
}

}  // namespace holdfast::k8s
