// The names that buckets may bear, so that every client can address them.
#pragma once

#include <string_view>

namespace holdfast {

// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
bool valid_bucket_name(std::string_view name);

}  // namespace holdfast
