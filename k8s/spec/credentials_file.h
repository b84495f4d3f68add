// The credentials file of the AWS tools, as a location's secret holds it:
// https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-files.html
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "storage/base/status.h"

namespace holdfast::k8s {

// Access key and secret of a profile; `profile` empty: "default". kInvalidArgument: it lacks one of them.
Result<std::pair<std::string, std::string>> parse_credentials_file(std::string_view text, std::string_view profile);

}  // namespace holdfast::k8s
