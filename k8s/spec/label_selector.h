// metav1.LabelSelector: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
#pragma once

#include <optional>

#include "k8s/client/json_access.h"

namespace holdfast::k8s {

class LabelSelector {
 public:
  // kInvalidArgument: an operator that does not exist, values where none belong or none where some do.
  static Result<LabelSelector> parse(const json::object& selector);

  bool matches(const json::object& labels) const;
  // As a list request takes it: "app=shop,tier in (a,b)". Empty: everything.
  std::string text() const;
  bool empty() const { return requirements_.empty(); }

 private:
  enum class Operator { kEquals, kIn, kNotIn, kExists, kDoesNotExist };
  struct Requirement {
    std::string key;
    Operator op;
    std::vector<std::string> values;
    bool matches(const json::object& labels) const;
    std::string text() const;
  };
  std::vector<Requirement> requirements_;
};

// labelSelector and orLabelSelectors of a spec.
struct LabelSelectors {
  std::optional<LabelSelector> all;  // every requirement must hold
  std::vector<LabelSelector> any;    // one of them must match

  // `what`: "backup" or "restore", for the words of a problem.
  static LabelSelectors read(const json::object& spec, const std::string& what, std::vector<std::string>& problems);
  bool given() const { return all || !any.empty(); }
  // True where none is given.
  bool matches(const json::object& labels) const;
};

}  // namespace holdfast::k8s
