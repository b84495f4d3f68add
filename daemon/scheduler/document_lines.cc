#include "daemon/scheduler/document_lines.h"

#include <yaml-cpp/yaml.h>

#include <charconv>

namespace holdfast {

namespace {

// Of a path without its first part: "tiers", then "[0]", then "schedule".
std::string take_part(std::string& path) {
  if (path.starts_with('.')) path.erase(0, 1);
  size_t end = path.find_first_of(".[", 1);
  if (end == std::string::npos) end = path.size();
  std::string part = path.substr(0, end);
  path.erase(0, end);
  return part;
}

// The key of a member, not its value: that is where people look.
YAML::Node step(const YAML::Node& node, const std::string& part, int& line) {
  if (part.starts_with('[')) {
    size_t index = 0;
    std::from_chars(part.data() + 1, part.data() + part.size(), index);
    if (!node.IsSequence() || index >= node.size()) return {};
    line = node[index].Mark().line + 1;
    return node[index];
  }
  if (!node.IsMap()) return {};
  for (const auto& entry : node) {
    if (!entry.first.IsScalar() || entry.first.Scalar() != part) continue;
    line = entry.first.Mark().line + 1;
    return entry.second;
  }
  return {};
}

}  // namespace

int line_of(const std::string& yaml, const std::string& path) {
  try {
    YAML::Node node = YAML::Load(yaml);
    int line = node.Mark().line + 1;
    std::string rest = path;
    while (!rest.empty()) {
      const YAML::Node next = step(node, take_part(rest), line);
      if (!next.IsDefined() || next.IsNull()) break;
      node.reset(next);
    }
    return line;
  } catch (const std::exception&) {
    return 0;
  }
}

}  // namespace holdfast
