#include "k8s/restore/merge_patch.h"

namespace holdfast::k8s {

json::object merge_patch(const json::object& from, const json::object& to) {
  json::object patch;
  for (const auto& [key, value] : to) {
    const json::value* old = from.if_contains(key);
    if (old != nullptr && *old == value) continue;
    if (old != nullptr && old->is_object() && value.is_object()) {
      patch[key] = merge_patch(old->get_object(), value.get_object());
    } else {
      patch[key] = value;
    }
  }
  for (const auto& [key, value] : from) {
    if (!to.contains(key)) patch[key] = nullptr;
  }
  return patch;
}

void apply_merge_patch(json::value& document, const json::value& patch) {
  if (!patch.is_object()) {
    document = patch;
    return;
  }
  if (!document.is_object()) document = json::object();
  json::object& target = document.get_object();
  for (const auto& [key, value] : patch.get_object()) {
    if (value.is_null()) target.erase(key);
    else apply_merge_patch(target[key], value);
  }
}

}  // namespace holdfast::k8s
