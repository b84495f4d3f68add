// The names that things may bear.
#pragma once

#include <string>
#include <string_view>

#include "storage/base/status.h"

namespace holdfast {

// So that every client can address them: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
bool valid_bucket_name(std::string_view name);
// kInvalidArgument, in words for operators.
Result<void> check_bucket_name(const std::string& name);

// https://kubernetes.io/docs/concepts/overview/working-with-objects/names/: up to 63 lower case letters, digits and '-',
// or up to 253 with '.'; a letter or digit at both ends.
bool is_dns_label(std::string_view name);
bool is_dns_subdomain(std::string_view name);

}  // namespace holdfast
