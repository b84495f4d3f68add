// Unpacks gzip (RFC 1952) from anywhere, within a bound.
#pragma once

#include <string>
#include <string_view>

#include "storage/base/status.h"

namespace holdfast::k8s {

// What comes after `max_bytes` of text is left out. kCorrupt: not gzip, cut off, or with a wrong checksum.
Result<std::string> gunzip(std::string_view packed, uint64_t max_bytes);

}  // namespace holdfast::k8s
