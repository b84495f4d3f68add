#include "k8s/restore/item_path.h"

#include <algorithm>

#include "storage/base/text.h"

namespace holdfast::k8s {

Result<std::optional<ItemRef>> parse_item_path(const std::string& path) {
  const auto parts = split_text(path, '/');
  const auto strange = [&] { return error(Code::kCorrupt, "\"" + path.substr(0, 300) + "\" has no place in it"); };
  if (std::any_of(parts.begin(), parts.end(), [](std::string_view p) { return p.empty(); })) return strange();
  if (parts.front() == "metadata") return std::nullopt;
  if (parts.front() != "resources" || parts.size() < 4) return strange();
  // Under a version there is the same once more.
  const size_t scope = parts[2] == "namespaces" || parts[2] == "cluster" ? 2 : 3;
  const bool namespaced = parts[scope] == "namespaces";
  if (!namespaced && parts[scope] != "cluster") return strange();
  if (parts.size() != scope + (namespaced ? 3 : 2)) return strange();
  std::string_view name = parts.back();
  if (!name.ends_with(".json") || name.size() == 5) return strange();
  name.remove_suffix(5);
  if (scope == 3) return std::nullopt;
  return ItemRef{std::string(parts[1]), namespaced ? std::string(parts[3]) : std::string(), std::string(name)};
}

}  // namespace holdfast::k8s
