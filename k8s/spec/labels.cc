#include "k8s/spec/labels.h"

#include "storage/base/digest.h"

namespace holdfast::k8s {

namespace {
constexpr size_t kMaxLabel = 63;
constexpr size_t kHashed = 6;
}  // namespace

std::string label_value(const std::string& name) {
  if (name.size() <= kMaxLabel) return name;
  return name.substr(0, kMaxLabel - kHashed) + sha256_hex(name).substr(0, kHashed);
}

}  // namespace holdfast::k8s
