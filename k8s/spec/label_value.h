// Names as the values of labels.
#pragma once

#include <string>

namespace holdfast::k8s {

// Over 63 characters: the first 57, and 6 of the SHA-256 in hexadecimal (Velero: pkg/label/label.go).
std::string label_value(const std::string& name);

}  // namespace holdfast::k8s
