#include "k8s/trial/comparison.h"

#include <algorithm>

#include "k8s/spec/labels.h"

namespace holdfast::k8s {

namespace {

bool is_nothing(const json::value& v) {
  return v.is_null() || (v.is_object() && v.get_object().empty()) || (v.is_array() && v.get_array().empty()) || (v.is_string() && v.get_string().empty());
}

bool is_number(const json::value& v) { return v.is_int64() || v.is_uint64() || v.is_double(); }

bool same(const json::value& a, const json::value& b) {
  if (is_number(a) && is_number(b) && (a.is_double() || b.is_double())) return a.to_number<double>() == b.to_number<double>();
  return a == b;
}

std::string joined(const std::string& path, const std::string& rest) { return path + (rest.empty() || rest.starts_with('[') ? "" : ".") + rest; }

class Comparison {
 public:
  // Nothing: all the same. A difference of the value itself has the path "".
  std::optional<std::string> difference(const json::value& wanted, const json::value& live) {
    // Lists in lists can be matched in more ways than there is time for.
    if (steps_++ > kMostSteps) return std::string();
    if (wanted.is_object() && live.is_object()) return in_objects(wanted.get_object(), live.get_object());
    if (wanted.is_array() && live.is_array()) return in_lists(wanted.get_array(), live.get_array());
    if (same(wanted, live)) return std::nullopt;
    return std::string();
  }

 private:
  std::optional<std::string> in_objects(const json::object& wanted, const json::object& live) {
    for (const auto& [key, value] : wanted) {
      if (is_nothing(value)) continue;
      const json::value* there = live.if_contains(key);
      if (there == nullptr) return std::string(key);
      if (auto found = difference(value, *there)) return joined(std::string(key), *found);
    }
    return std::nullopt;
  }

  std::optional<std::string> in_lists(const json::array& wanted, const json::array& live) {
    std::vector<bool> taken(live.size());
    for (size_t i = 0; i < wanted.size(); ++i) {
      std::optional<std::string> nearest;
      bool found = false;
      // Mostly they are where they were.
      for (size_t turn = 0; turn < live.size() && !found; ++turn) {
        const size_t at = (i + turn) % live.size();
        if (taken[at]) continue;
        auto d = difference(wanted[i], live[at]);
        found = !d;
        if (found) taken[at] = true;
        else if (!nearest) nearest = std::move(d);
      }
      if (!found) return joined("[" + std::to_string(i) + "]", nearest.value_or(""));
    }
    return std::nullopt;
  }

  static constexpr uint64_t kMostSteps = 5'000'000;
  uint64_t steps_ = 0;
};

// Notes of controllers, which they make anew.
void erase_notes(json::object& object) {
  object.erase("status");
  json::object* metadata = object_in(object, "metadata");
  if (metadata == nullptr) return;
  metadata->erase("finalizers");
  if (json::object* labels = object_in(*metadata, "labels")) {
    for (const char* name : {kBackupNameLabel, kRestoreNameLabel}) labels->erase(name);
  }
  if (json::object* annotations = object_in(*metadata, "annotations")) {
    for (auto at = annotations->begin(); at != annotations->end();) {
      const std::string_view key = at->key();
      const bool note = key.starts_with("deployment.kubernetes.io/") || key.starts_with("deprecated.daemonset.template.") || key.starts_with("endpoints.kubernetes.io/") || key.starts_with("control-plane.alpha.kubernetes.io/");
      at = note ? annotations->erase(at) : std::next(at);
    }
  }
}

}  // namespace

std::string first_difference(const json::value& wanted, const json::value& live) {
  const auto found = Comparison().difference(wanted, live);
  if (!found) return {};
  return found->empty() ? "its value" : *found;
}

std::string object_difference(json::object wanted, const json::object& live) {
  erase_notes(wanted);
  return first_difference(wanted, live);
}

}  // namespace holdfast::k8s
