// Moves an extent to another segment: ciphertext and block checksums as they are, the table sealed to its new
// place. Needs no key.
#pragma once

#include "storage/log/bulk_stream.h"

namespace holdfast {

// Copies extent `index` of `body`, checking every block on the way. Gives one or more extents that replace it.
// Each segment pushed to `held` is to be released by the caller once a commit refers to the copies, or on failure.
Result<std::vector<ExtentRef>> copy_extent(const Volume& volume, BulkStream& stream, const BodyRef& body, size_t index,
                                           std::vector<uint32_t>& held);

}  // namespace holdfast
