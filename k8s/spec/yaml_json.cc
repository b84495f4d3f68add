#include "k8s/yaml_json.h"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cmath>

#include "k8s/client/json_access.h"
#include "storage/base/text.h"

namespace holdfast::k8s {

namespace {

constexpr int kMaxDepth = 100;
constexpr size_t kMaxTextBytes = 4 << 20;

struct Bad {
  std::string why;
};

json::value scalar(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  if (node.Tag() == "!") return json::string(text);  // quoted
  if (text.empty() || text == "~" || text == "null") return nullptr;
  if (text == "true" || text == "false") return text == "true";
  int64_t whole = 0;
  const char* end = text.data() + text.size();
  if (const auto r = std::from_chars(text.data(), end, whole); r.ec == std::errc() && r.ptr == end) return whole;
  double real = 0;
  if (const auto r = std::from_chars(text.data(), end, real); r.ec == std::errc() && r.ptr == end && std::isfinite(real)) return real;
  return json::string(text);
}

// What an alias stands for is counted each time: a few lines could otherwise mean gigabytes.
json::value converted(const YAML::Node& node, int depth, size_t& budget) {
  if (depth > kMaxDepth) throw Bad{"it is nested too deep"};
  if (budget == 0) throw Bad{"it is too large"};
  --budget;
  if (node.IsScalar()) return scalar(node);
  if (node.IsSequence()) {
    json::array out;
    for (const YAML::Node& item : node) out.push_back(converted(item, depth + 1, budget));
    return out;
  }
  if (!node.IsMap()) return nullptr;
  json::object out;
  for (const auto& entry : node) {
    if (!entry.first.IsScalar()) throw Bad{"a key is not a text"};
    const auto [at, fresh] = out.emplace(entry.first.Scalar(), converted(entry.second, depth + 1, budget));
    if (!fresh) throw Bad{"key \"" + entry.first.Scalar() + "\" is there twice"};
  }
  return out;
}

// A mark at the beginning of a line, behind something.
bool has_second_document(std::string_view text) {
  bool content = false;
  for (const std::string_view line : split_text(text, '\n')) {
    if (line.starts_with("---") && content) return true;
    content = content || line.find_first_not_of(" \t\r") != std::string_view::npos;
  }
  return false;
}

}  // namespace

Result<json::value> json_of_yaml(const std::string& text) {
  if (text.size() > kMaxTextBytes) return error(Code::kInvalidArgument, "it is too large");
  if (has_second_document(text)) return error(Code::kInvalidArgument, "it has several documents instead of one");
  try {
    // Not LoadAll: there are texts that it never comes to the end of.
    const YAML::Node document = YAML::Load(text);
    size_t budget = 100'000;
    return converted(document, 0, budget);
  } catch (const Bad& bad) {
    return error(Code::kInvalidArgument, bad.why);
  } catch (const std::exception& e) {
    return error(Code::kInvalidArgument, std::string("it is not YAML: ") + e.what());
  }
}

Result<json::object> map_in(const json::object& config_map, const std::string& what) {
  const json::object& data = object_at(config_map, "data");
  if (data.size() != 1 || !data.begin()->value().is_string()) return error(Code::kInvalidArgument, what + "the ConfigMap must have one key");
  HF_TRY(json::value document, json_of_yaml(std::string(data.begin()->value().get_string())));
  if (!document.is_object()) return error(Code::kInvalidArgument, "it is not a map");
  return std::move(document.get_object());
}

}  // namespace holdfast::k8s
