#include "k8s/velero/objects.h"

namespace holdfast::k8s {

namespace {
std::string mark(const json::object& object, const std::string& what) { return text_at(metadata_of(object), "uid") + " " + what; }
std::string version_mark(const json::object& object) { return mark(object, text_at(metadata_of(object), "resourceVersion")); }

void forget(std::set<std::string>& marks, const json::object& object) {
  const std::string prefix = mark(object, "");
  for (auto i = marks.lower_bound(prefix); i != marks.end() && i->starts_with(prefix);) i = marks.erase(i);
}
}  // namespace

Objects::Objects(ApiClient& client, std::string name_space, Ownership& ownership, OnChange on_change)
    : client_(client), name_space_(std::move(name_space)), ownership_(ownership), on_change_(std::move(on_change)) {
  for (const Kind kind : kAllKinds) {
    watches_[static_cast<size_t>(kind)] = std::make_unique<ObjectWatch>(
        client_, collection_of(kind, name_space_),
        [this, kind](const std::string& name, const ObjectRef& before, const ObjectRef& now) { changed(kind, name, before, now); });
  }
}

void Objects::start() {
  for (const auto& watch : watches_) watch->start();
}

void Objects::stop() {
  for (const auto& watch : watches_) watch->stop();
}

bool Objects::are_complete() const {
  for (const auto& watch : watches_) {
    if (!watch->is_complete()) return false;
  }
  return true;
}

std::vector<ObjectRef> Objects::backups_of(const std::string& schedule) const {
  std::vector<ObjectRef> backups = all(Kind::kBackup);
  std::erase_if(backups, [&](const ObjectRef& b) { return view_at(object_at(metadata_of(*b), "labels"), kScheduleLabel) != label_value(schedule); });
  return backups;
}

void Objects::changed(Kind kind, const std::string& name, const ObjectRef& before, const ObjectRef& now) {
  if ((kind == Kind::kBackup || kind == Kind::kRestore) && before) {
    std::lock_guard lock(mutex_);
    if (!now) {
      forget(writing_, *before);
      forget(written_, *before);
    } else if (phase_of(*now) != phase_of(*before) && !is_new(*now) && !writing_.contains(mark(*now, phase_of(*now))) && !written_.contains(version_mark(*now))) {
      ownership_.report_foreign_status(std::string(kind_name(kind)) + " " + name + " was made " + phase_of(*now));
    }
  }
  on_change_(kind, name);
}

Result<ObjectRef> Objects::patch(Kind kind, const std::string& name, json::object patch, const ObjectRef& only_if) {
  HF_CHECK(ownership_.confirm());
  const ObjectRef known = only_if ? only_if : find(kind, name);
  if (known) {
    json::object metadata = object_at(patch, "metadata");
    metadata["uid"] = text_at(metadata_of(*known), "uid");  // not another of the same name
    if (only_if) metadata["resourceVersion"] = text_at(metadata_of(*only_if), "resourceVersion");
    patch["metadata"] = std::move(metadata);
  }
  const std::string phase = phase_of(patch);
  const std::string writing = known && !phase.empty() ? mark(*known, phase) : "";
  if (!writing.empty()) {
    std::lock_guard lock(mutex_);
    writing_.insert(writing);
  }
  HF_TRY(const std::string text, client_.call("PATCH", path(kind, name), json::serialize(patch), kMergePatch));
  HF_TRY(json::object answer, parse_object(text));
  auto object = std::make_shared<const json::object>(std::move(answer));
  watch(kind).note(object);
  if (!writing.empty()) {
    // From here on the same phase in another version is another's. After a failure it may still turn out to have been ours.
    std::lock_guard lock(mutex_);
    written_.insert(version_mark(*object));
    writing_.erase(writing);
  }
  return object;
}

Result<void> Objects::create(Kind kind, const json::object& object) {
  HF_CHECK(ownership_.confirm());
  HF_TRY(const std::string text, client_.call("POST", collection_of(kind, name_space_), json::serialize(object)));
  HF_TRY(json::object answer, parse_object(text));
  watch(kind).note(std::make_shared<const json::object>(std::move(answer)));
  return {};
}

Result<void> Objects::remove(Kind kind, const std::string& name) {
  HF_CHECK(ownership_.confirm());
  const auto gone = client_.call("DELETE", path(kind, name));
  if (!gone && gone.error().code() != Code::kNotFound) return std::unexpected(gone.error());
  return {};
}

}  // namespace holdfast::k8s
