// Quantities as Kubernetes writes them: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
#pragma once

#include <optional>
#include <string_view>

namespace holdfast::k8s {

// "10Gi", "1.5T", "500m", "1e3". Nothing when it is none. Exact for what fits 64 bits.
std::optional<long double> parse_quantity(std::string_view text);

}  // namespace holdfast::k8s
