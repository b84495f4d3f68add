#include "k8s/restore/resource_modifiers.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "k8s/restore/json_patch.h"
#include "k8s/restore/merge_patch.h"
#include "k8s/restore/strategic_patch.h"
#include "k8s/spec/label_selector.h"
#include "k8s/spec/name_lists.h"
#include "k8s/yaml_json.h"
#include "storage/base/text.h"

namespace holdfast::k8s {

struct ResourceModifiers::Rule {
  NameLists namespaces;
  std::unique_ptr<const RE2> resource, name;  // no name: any
  std::optional<LabelSelector> labels;
  std::vector<JsonPatchStep> matches, patches;
  std::vector<json::value> merge_patches, strategic_patches;

  Result<bool> matches_object(const std::string& group_resource, const json::object& object) const;
  Result<void> change(json::object& object) const;
};

namespace {

std::unexpected<Status> bad(const std::string& why) { return error(Code::kInvalidArgument, why); }

// What the value of a patch, which is always a text, stands for.
json::value meaning_of(const json::value& given) {
  if (!given.is_string()) return given;
  const std::string_view text = given.get_string();
  if (text.size() >= 2 && text.starts_with('"') && text.ends_with('"')) return json::string(text.substr(1, text.size() - 2));
  if (text == "null") return nullptr;
  if (lower(text) == "true" || lower(text) == "false") return lower(text) == "true";
  double number = 0;
  const auto r = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool numeric = r.ec == std::errc() && r.ptr == text.data() + text.size() && !text.empty();
  if (!numeric && !text.starts_with('{') && !text.starts_with('[')) return given;
  boost::system::error_code ec;
  json::value parsed = json::parse(text, ec);
  return ec ? given : parsed;
}

std::unique_ptr<const RE2> regex(const std::string& pattern) { return std::make_unique<const RE2>(pattern, RE2::Quiet); }

Result<JsonPatchStep> patch_step(const json::value& v) {
  const json::object* o = v.if_object();
  if (o == nullptr) return bad("a patch is not a map");
  HF_CHECK(only_members(*o, "patches.", {"operation", "from", "path", "value"}));
  JsonPatchStep step{lower(view_at(*o, "operation")), text_at(*o, "from"), text_at(*o, "path"), json::string()};
  if (const json::value* value = o->if_contains("value")) step.value = meaning_of(*value);
  static constexpr std::array<std::string_view, 6> kOperations{"add", "remove", "replace", "test", "move", "copy"};
  if (step.op.empty()) return bad("operation cannot be empty");
  if (std::find(kOperations.begin(), kOperations.end(), step.op) == kOperations.end()) return bad("unsupported operation " + text_at(*o, "operation"));
  if (step.path.empty()) return bad("path cannot be empty");
  return step;
}

// Patches that are YAML in a text.
Result<std::vector<json::value>> patch_data(const json::object& rule, const char* list) {
  std::vector<json::value> out;
  for (const json::value& v : array_at(rule, list)) {
    if (!v.is_object()) return bad(std::string(list) + ": an entry is not a map");
    HF_CHECK(only_members(v.get_object(), std::string(list) + ".", {"patchData"}));
    auto parsed = json_of_yaml(text_at(v.get_object(), "patchData"));
    if (!parsed) return bad(std::string(list) + ".patchData: " + parsed.error().message());
    if (!parsed->is_object()) return bad(std::string(list) + ".patchData is not a map");
    out.push_back(std::move(*parsed));
  }
  return out;
}

}  // namespace

std::string regex_of_resource_glob(std::string_view glob) {
  std::string out;
  int open = 0;
  for (size_t i = 0; i < glob.size(); ++i) {
    const char c = glob[i];
    if (c == '*' && i + 1 < glob.size() && glob[i + 1] == '*') {
      out += ".*";
      ++i;
    } else if (c == '*') {
      out += "[^.]*";
    } else if (c == '?') {
      out += "[^.]";
    } else if (c == '{') {
      out += "(?:";
      ++open;
    } else if (c == '}' && open > 0) {
      out += ")";
      --open;
    } else if (c == ',' && open > 0) {
      out += "|";
    } else {
      out += RE2::QuoteMeta(re2::StringPiece(&c, 1));
    }
  }
  return out;
}

Result<bool> ResourceModifiers::Rule::matches_object(const std::string& group_resource, const json::object& object) const {
  const json::object& metadata = object_at(object, "metadata");
  const std::string name_space = text_at(metadata, "namespace");
  if (!name_space.empty() && !namespaces.includes(name_space)) return false;
  if (!RE2::FullMatch(group_resource, *resource)) return false;
  if (name && !RE2::PartialMatch(text_at(metadata, "name"), *name)) return false;
  if (labels && !labels->matches(object_at(metadata, "labels"))) return false;
  json::object looked_at = object;
  const auto same = matches.empty() ? Result<void>() : apply_json_patch(looked_at, matches);
  if (same) return true;
  const Code code = same.error().code();
  if (code == Code::kFailedPrecondition || code == Code::kNotFound) return false;
  return std::unexpected(same.error());
}

Result<void> ResourceModifiers::Rule::change(json::object& object) const {
  if (!patches.empty()) {
    auto done = apply_json_patch(object, patches);
    // A test within the patches that does not hold leaves the object as it is.
    return !done && done.error().code() == Code::kFailedPrecondition ? Result<void>() : done;
  }
  for (const json::value& patch : merge_patches) {
    json::value changed = std::move(object);
    apply_merge_patch(changed, patch);
    object = std::move(changed.get_object());
  }
  for (const json::value& patch : strategic_patches) HF_CHECK(apply_strategic_patch(object, patch.get_object()));
  return {};
}

ResourceModifiers::ResourceModifiers() = default;
ResourceModifiers::ResourceModifiers(ResourceModifiers&&) noexcept = default;
ResourceModifiers& ResourceModifiers::operator=(ResourceModifiers&&) noexcept = default;
ResourceModifiers::~ResourceModifiers() = default;

namespace {

Result<void> read_conditions(const json::object& o, auto& rule) {
  HF_CHECK(only_members(o, "conditions.", {"namespaces", "groupResource", "resourceNameRegex", "labelSelector", "matches"}));
  rule.namespaces.included = texts_at(o, "namespaces");
  const std::string resource = text_at(o, "groupResource"), name = text_at(o, "resourceNameRegex");
  if (resource.empty()) return bad("groupResource cannot be empty");
  rule.resource = regex(regex_of_resource_glob(resource));
  if (!rule.resource->ok()) return bad("groupResource \"" + resource + "\" is not a pattern");
  if (!name.empty()) {
    rule.name = regex(name);
    if (!rule.name->ok()) return bad("resourceNameRegex: " + rule.name->error());
  }
  if (const json::value* v = o.if_contains("labelSelector"); v != nullptr && v->is_object()) {
    HF_TRY(rule.labels, LabelSelector::parse(v->get_object()));
  }
  for (const json::value& v : array_at(o, "matches")) {
    if (!v.is_object()) return bad("an entry of matches is not a map");
    HF_CHECK(only_members(v.get_object(), "matches.", {"path", "value"}));
    const json::value* value = v.get_object().if_contains("value");
    rule.matches.push_back({"test", "", text_at(v.get_object(), "path"), value != nullptr ? meaning_of(*value) : json::value(json::string())});
    if (rule.matches.back().path.empty()) return bad("path is required for match rule");
  }
  return {};
}

Result<void> read_rule(const json::object& o, auto& rule) {
  HF_CHECK(only_members(o, "", {"conditions", "patches", "mergePatches", "strategicPatches"}));
  HF_CHECK(read_conditions(object_at(o, "conditions"), rule));
  for (const json::value& v : array_at(o, "patches")) {
    HF_TRY(JsonPatchStep step, patch_step(v));
    rule.patches.push_back(std::move(step));
  }
  HF_TRY(rule.merge_patches, patch_data(o, "mergePatches"));
  HF_TRY(rule.strategic_patches, patch_data(o, "strategicPatches"));
  const int kinds = !rule.patches.empty() + !rule.merge_patches.empty() + !rule.strategic_patches.empty();
  if (kinds > 1) return bad("only one of patches, mergePatches, strategicPatches can be specified");
  if (kinds == 0) return bad("no patch data found");
  return {};
}

}  // namespace

Result<ResourceModifiers> ResourceModifiers::parse(const json::object& config_map) {
  HF_TRY(const json::object root, map_in(config_map, "illegal resource modifiers: "));
  HF_CHECK(only_members(root, "", {"version", "resourceModifierRules"}));
  if (lower(view_at(root, "version")) != "v1") return bad("unsupported resource modifier version " + text_at(root, "version"));
  ResourceModifiers out;
  for (const json::value& v : array_at(root, "resourceModifierRules")) {
    if (!v.is_object()) return bad("a rule is not a map");
    auto rule = std::make_unique<Rule>();
    auto read = read_rule(v.get_object(), *rule);
    if (!read) return bad("rule " + std::to_string(out.rules_.size() + 1) + ": " + read.error().message());
    out.rules_.push_back(std::move(rule));
  }
  if (out.rules_.empty()) return bad("resource modifier rules cannot be empty");
  return out;
}

Result<void> ResourceModifiers::apply(const std::string& group_resource, json::object& object) const {
  const json::object unmodified = object;
  for (size_t i = 0; i < rules_.size(); ++i) {
    const auto named = [&](const Status& s) { return error(s.code(), "resource modifier, rule " + std::to_string(i + 1) + ": " + s.message()); };
    const auto matched = rules_[i]->matches_object(group_resource, unmodified);
    if (!matched) return named(matched.error());
    if (!*matched) continue;
    auto changed = rules_[i]->change(object);
    if (!changed) return named(changed.error());
  }
  if (view_at(object_at(object, "metadata"), "name").empty()) return bad("resource modifier: it takes the object's name away");
  return {};
}

}  // namespace holdfast::k8s
