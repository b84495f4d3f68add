#include "k8s/spec/label_selector.h"

#include <algorithm>

namespace holdfast::k8s {

Result<LabelSelector> LabelSelector::parse(const json::object& selector) {
  LabelSelector s;
  for (const auto& [key, value] : object_at(selector, "matchLabels")) {
    if (!value.is_string()) return error(Code::kInvalidArgument, "matchLabels." + std::string(key) + " is not a text");
    s.requirements_.push_back({std::string(key), Operator::kEquals, {std::string(value.get_string())}});
  }
  for (const json::value& e : array_at(selector, "matchExpressions")) {
    const json::object* expression = e.if_object();
    if (expression == nullptr) return error(Code::kInvalidArgument, "an entry of matchExpressions is not an object");
    Requirement r{text_at(*expression, "key"), Operator::kExists, texts_at(*expression, "values")};
    if (r.key.empty()) return error(Code::kInvalidArgument, "an entry of matchExpressions has no key");
    const std::string op = text_at(*expression, "operator");
    const bool valued = op == "In" || op == "NotIn";
    if (!valued && op != "Exists" && op != "DoesNotExist") {
      return error(Code::kInvalidArgument, "\"" + op + "\" is not a valid label selector operator");
    }
    if (valued && r.values.empty()) return error(Code::kInvalidArgument, r.key + ": for 'in', 'notin' operators, values set can't be empty");
    if (!valued && !r.values.empty()) return error(Code::kInvalidArgument, r.key + ": values set must be empty for exists and does not exist");
    r.op = op == "In" ? Operator::kIn : op == "NotIn" ? Operator::kNotIn : op == "Exists" ? Operator::kExists : Operator::kDoesNotExist;
    s.requirements_.push_back(std::move(r));
  }
  return s;
}

bool LabelSelector::Requirement::matches(const json::object& labels) const {
  const json::value* label = labels.if_contains(key);
  if (op == Operator::kExists) return label != nullptr;
  if (op == Operator::kDoesNotExist) return label == nullptr;
  const bool among = label != nullptr && std::find(values.begin(), values.end(), view_at(labels, key)) != values.end();
  return op == Operator::kNotIn ? !among : among;
}

std::string LabelSelector::Requirement::text() const {
  if (op == Operator::kExists) return key;
  if (op == Operator::kDoesNotExist) return "!" + key;
  if (op == Operator::kEquals) return key + "=" + values.front();
  std::string list;
  for (const std::string& v : values) list += (list.empty() ? "" : ",") + v;
  return key + (op == Operator::kIn ? " in (" : " notin (") + list + ")";
}

bool LabelSelector::matches(const json::object& labels) const {
  return std::all_of(requirements_.begin(), requirements_.end(), [&](const Requirement& r) { return r.matches(labels); });
}

std::string LabelSelector::text() const {
  std::string out;
  for (const Requirement& r : requirements_) out += (out.empty() ? "" : ",") + r.text();
  return out;
}

LabelSelectors LabelSelectors::read(const json::object& spec, const std::string& what, std::vector<std::string>& problems) {
  LabelSelectors out;
  const auto parse = [&](const json::object& selector, const char* where) {
    auto parsed = LabelSelector::parse(selector);
    if (!parsed) problems.push_back(std::string(where) + ": " + parsed.error().message());
    return parsed ? *parsed : LabelSelector();
  };
  if (const json::value* v = spec.if_contains("labelSelector"); v != nullptr && v->is_object()) {
    out.all = parse(v->get_object(), "labelSelector");
  }
  for (const json::value& v : array_at(spec, "orLabelSelectors")) {
    if (v.is_object()) out.any.push_back(parse(v.get_object(), "orLabelSelectors"));
  }
  if (out.all && !out.any.empty()) {
    problems.push_back("encountered labelSelector as well as orLabelSelectors in " + what + " spec, only one can be specified");
  }
  return out;
}

bool LabelSelectors::matches(const json::object& labels) const {
  if (all && !all->matches(labels)) return false;
  return any.empty() || std::any_of(any.begin(), any.end(), [&](const LabelSelector& s) { return s.matches(labels); });
}

}  // namespace holdfast::k8s
