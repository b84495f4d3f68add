// JSON objects as tests write them.
#pragma once

#include <gtest/gtest.h>

#include "k8s/client/json_access.h"

namespace holdfast::k8s {

// The test fails where the text is none.
inline json::object object(std::string_view text) {
  auto o = parse_object(text);
  EXPECT_TRUE(o) << text;
  return o ? *o : json::object();
}

}  // namespace holdfast::k8s
