// Parts of the store that an access key is limited to.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace holdfast {

// "bucket" covers everything in it, "bucket/prefix" keys that start with the prefix.
bool scope_covers(std::string_view scope, std::string_view bucket, std::string_view key_or_prefix);
// No scopes at all cover everything.
bool scopes_cover(const std::vector<std::string>& scopes, std::string_view bucket, std::string_view key_or_prefix);

}  // namespace holdfast
