// Strategic merge patches of the built-in kinds:
// https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
#pragma once

#include "k8s/client/json_access.h"

namespace holdfast::k8s {

// Lists of objects that have a merge key are merged by it, `finalizers` as a set, other lists replaced. Directives: $patch
// (replace, merge, delete) and $deleteFromPrimitiveList. kInvalidArgument: another directive, an entry without its key,
// or a kind that is not built in.
Result<void> apply_strategic_patch(json::object& document, const json::object& patch);

}  // namespace holdfast::k8s
