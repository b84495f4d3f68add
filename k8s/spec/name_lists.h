// Lists of names to take and to leave, as Velero's specs have them.
#pragma once

#include <string>
#include <vector>

namespace holdfast::k8s {

// "*" and shell patterns are allowed. Empty `included`: everything.
struct NameLists {
  std::vector<std::string> included, excluded;
  bool any() const { return !included.empty() || !excluded.empty(); }
  bool includes(const std::string& name) const;
  bool excludes(const std::string& name) const;
  // Nothing is left out, and not because each is named.
  bool everything() const;
};

// What contradicts itself in them goes to `problems`, in Velero's words. `all_excluded`: "*" may stand among what is
// left out, alone.
void check_lists(const NameLists& lists, const std::string& what, bool all_excluded, std::vector<std::string>& problems);
// The same, and whether these can be names or patterns of namespaces.
void check_namespace_lists(const NameLists& lists, std::vector<std::string>& problems);

// "*", "?" and "[ab]" as in a shell. No character is special between them.
bool glob_matches(const std::string& pattern, const std::string& text);

}  // namespace holdfast::k8s
