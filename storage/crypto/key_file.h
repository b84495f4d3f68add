// The keys that an operator handles: the master key (a file) and the recovery key (printed once).
#pragma once

#include <string>

#include "storage/crypto/aead.h"

namespace holdfast {

// Reads a master key: 64 hexadecimal digits in a file that nobody but its owner may read.
// kPermissionDenied when the mode is wider than 0600.
Result<SecretKey> load_key_file(const std::string& path);

// Makes a new key file with mode 0600; kAlreadyExists when there is one.
Result<SecretKey> create_key_file(const std::string& path, Random& random);

// The recovery key as people write it down: 9 groups of 7 characters, the last character of each group a check
// digit, in an alphabet without look-alikes. Lower case, blanks and missing dashes are accepted back.
std::string recovery_key_text(const SecretKey& key);
Result<SecretKey> parse_recovery_key(std::string_view text);

}  // namespace holdfast
