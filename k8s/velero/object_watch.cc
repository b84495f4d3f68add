#include "k8s/velero/object_watch.h"

#include <charconv>
#include <set>

#include "storage/base/log.h"

namespace holdfast::k8s {

namespace {

constexpr std::chrono::milliseconds kFirstWait{500};
constexpr std::chrono::milliseconds kLongestWait{15'000};

// Resource versions of one kind can be compared as numbers:
// https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
uint64_t version_of(const json::object& object) {
  const std::string_view text = view_at(metadata_of(object), "resourceVersion");
  uint64_t version = 0;
  std::from_chars(text.data(), text.data() + text.size(), version);
  return version;
}

}  // namespace

void ObjectWatch::start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
}

void ObjectWatch::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

ObjectRef ObjectWatch::find(const std::string& name) const {
  std::lock_guard lock(mutex_);
  const auto found = objects_.find(name);
  return found == objects_.end() ? nullptr : found->second;
}

std::vector<ObjectRef> ObjectWatch::all() const {
  std::lock_guard lock(mutex_);
  std::vector<ObjectRef> out;
  for (const auto& [name, object] : objects_) out.push_back(object);
  return out;
}

bool ObjectWatch::is_complete() const {
  std::lock_guard lock(mutex_);
  return complete_;
}

void ObjectWatch::note(const ObjectRef& object) {
  std::lock_guard lock(mutex_);
  ObjectRef& known = objects_[name_of(*object)];
  if (!known || version_of(*known) < version_of(*object)) known = object;
}

void ObjectWatch::put(const std::string& name, ObjectRef now) {
  ObjectRef before;
  {
    std::lock_guard lock(mutex_);
    ObjectRef& known = objects_[name];
    if (known && now && version_of(*known) > version_of(*now)) return;  // a call of ours got it sooner
    before = known;
    known = now;
    if (!now) objects_.erase(name);
  }
  on_change_(name, before, now);
}

Result<std::string> ObjectWatch::list() {
  std::set<std::string> seen;
  HF_TRY(const ListResult listed, client_.list(collection_, {}, [&](std::string_view raw) -> Result<void> {
    HF_TRY(json::object object, parse_object(raw));
    const std::string name = name_of(object);
    seen.insert(name);
    put(name, std::make_shared<const json::object>(std::move(object)));
    return {};
  }));
  std::vector<std::string> gone;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [name, object] : objects_) {
      if (!seen.contains(name)) gone.push_back(name);
    }
    complete_ = true;
  }
  for (const std::string& name : gone) put(name, nullptr);
  return listed.resource_version;
}

Result<void> ObjectWatch::take(WatchEvent event, std::string& version) {
  version = text_at(metadata_of(event.object), "resourceVersion");
  const std::string name = name_of(event.object);
  if (event.type == "ADDED" || event.type == "MODIFIED") {
    put(name, std::make_shared<const json::object>(std::move(event.object)));
  } else if (event.type == "DELETED") {
    put(name, nullptr);
  }
  return {};
}

Result<void> ObjectWatch::follow(std::string& version) {
  return client_.watch(collection_, version, [&](WatchEvent event) { return take(std::move(event), version); });
}

void ObjectWatch::tell(const Result<void>& outcome) {
  const std::string problem = outcome ? "" : outcome.error().message();
  if (problem != told_ && !problem.empty()) spdlog::warn("{}{}: {}", client_.server(), collection_, problem);
  told_ = problem;
}

void ObjectWatch::work(const std::stop_token& stop) {
  std::chrono::milliseconds wait = kFirstWait;
  std::string version;
  while (!stop.stop_requested()) {
    Result<void> done;
    if (version.empty()) {
      auto listed = list();
      if (listed) version = std::move(*listed);
      else done = std::unexpected(listed.error());
    }
    if (done) {
      const auto began = std::chrono::steady_clock::now();
      done = follow(version);
      if (!done && done.error().is(Code::kFailedPrecondition, Subject::kVersion)) {
        version.clear();  // the server has forgotten that version: list again
        done = {};
      }
      // One that lasted was a good one, however it ended.
      if (std::chrono::steady_clock::now() - began > kFirstWait) wait = kFirstWait;
      else if (done && !version.empty() && !client_.pause(wait)) return;
    }
    if (stop.stop_requested() || !client_.pause(std::chrono::milliseconds(0))) return;
    tell(done);
    if (done) continue;
    if (!client_.pause(wait)) return;
    wait = std::min(wait * 2, kLongestWait);
  }
}

}  // namespace holdfast::k8s
