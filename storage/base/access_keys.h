// Access keys and secret keys as they are made up.
#pragma once

#include <string>

#include "storage/base/random.h"

namespace holdfast {

std::string new_access_key(Random& random);  // "HF" and 18 capitals and digits
std::string new_secret_key(Random& random);  // 40 letters and digits

}  // namespace holdfast
