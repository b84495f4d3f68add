#include "k8s/spec/name_lists.h"

#include <fnmatch.h>

#include <algorithm>

#include "storage/base/text.h"

namespace holdfast::k8s {

bool glob_matches(const std::string& pattern, const std::string& text) { return ::fnmatch(pattern.c_str(), text.c_str(), FNM_NOESCAPE) == 0; }

bool NameLists::excludes(const std::string& name) const {
  return std::any_of(excluded.begin(), excluded.end(), [&](const std::string& p) { return glob_matches(p, name); });
}

bool NameLists::includes(const std::string& name) const {
  if (excludes(name)) return false;
  return included.empty() || std::any_of(included.begin(), included.end(), [&](const std::string& p) { return glob_matches(p, name); });
}

bool NameLists::everything() const { return excluded.empty() && (included.empty() || (included.size() == 1 && included.front() == "*")); }

void check_lists(const NameLists& lists, const std::string& what, bool all_excluded, std::vector<std::string>& problems) {
  const auto say = [&](const std::string& text) { problems.push_back("Invalid " + what + " lists: " + text); };
  if (lists.included.size() > 1 && contains(lists.included, "*")) {
    say("includes list must either contain '*' only, or a non-empty list of items");
  }
  if (!all_excluded && contains(lists.excluded, "*")) say("excludes list cannot contain '*'");
  if (all_excluded && contains(lists.excluded, "*")) {
    if (lists.excluded.size() > 1) say("excludes list must either contain '*' only, or a non-empty list of items");
    if (!lists.included.empty()) say("when exclude is '*', include cannot have value");
  }
  for (const std::string& name : lists.excluded) {
    if (contains(lists.included, name)) say("excludes list cannot contain an item in the includes list: " + name);
  }
}

namespace {

// A namespace's name, or a pattern of one.
std::string namespace_problem(const std::string& name) {
  if (name.empty()) return "";
  if (name.find_first_of("|()!{},") != std::string::npos) return "wildcard pattern contains unsupported characters: |, (, ), !, {, }, ,";
  if (name.find("**") != std::string::npos) return "wildcard pattern contains consecutive asterisks (only single * allowed)";
  bool open = false;
  size_t opened = 0;
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (c == '[' && !open) {
      open = true;
      opened = i;
    } else if (c == ']') {
      if (!open) return "wildcard pattern contains unmatched closing bracket ']'";
      if (i == opened + 1) return "wildcard pattern contains empty bracket pattern '[]'";
      open = false;
    } else if (const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '*' || c == '?'; !plain) {
      return "invalid namespace \"" + name + "\": only lower case letters, digits and '-' may stand in it";
    }
  }
  return open ? "wildcard pattern contains unclosed bracket '['" : "";
}

}  // namespace

void check_namespace_lists(const NameLists& lists, std::vector<std::string>& problems) {
  check_lists(lists, "included/excluded namespace", false, problems);
  for (const auto* list : {&lists.included, &lists.excluded}) {
    for (const std::string& name : *list) {
      if (const std::string problem = namespace_problem(name); !problem.empty()) {
        problems.push_back("Invalid included/excluded namespace lists: " + problem);
      }
    }
  }
}

}  // namespace holdfast::k8s
