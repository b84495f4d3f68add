#include "storage/base/scopes.h"

#include <algorithm>

namespace holdfast {

bool scope_covers(std::string_view scope, std::string_view bucket, std::string_view key_or_prefix) {
  const size_t slash = scope.find('/');
  if (scope.substr(0, slash) != bucket) return false;
  return slash == std::string_view::npos || key_or_prefix.starts_with(scope.substr(slash + 1));
}

bool scopes_cover(const std::vector<std::string>& scopes, std::string_view bucket, std::string_view key_or_prefix) {
  return scopes.empty() || std::any_of(scopes.begin(), scopes.end(), [&](const std::string& s) { return scope_covers(s, bucket, key_or_prefix); });
}

}  // namespace holdfast
