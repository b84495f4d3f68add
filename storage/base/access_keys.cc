#include "storage/base/access_keys.h"

namespace holdfast {

namespace {

// Letters and digits of an alphabet without look-alikes.
std::string random_word(Random& random, size_t n, std::string_view alphabet) {
  std::string out(n, '\0');
  for (char& c : out) {
    std::byte b{};
    do random.fill({&b, 1});
    while (static_cast<size_t>(b) >= 256 / alphabet.size() * alphabet.size());  // no bias
    c = alphabet[static_cast<size_t>(b) % alphabet.size()];
  }
  return out;
}

}  // namespace

std::string new_access_key(Random& random) { return "HF" + random_word(random, 18, "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"); }
std::string new_secret_key(Random& random) { return random_word(random, 40, "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"); }

}  // namespace holdfast
