// This host.
#pragma once

#include <string>

namespace holdfast {

// As gethostname() says; "localhost" where it says nothing.
std::string host_name();

}  // namespace holdfast
