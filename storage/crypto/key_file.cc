#include "storage/crypto/key_file.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <system_error>

namespace holdfast {

namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";  // Crockford's base 32
constexpr size_t kGroups = 9;
constexpr size_t kGroupDigits = 6;  // 9 groups of 6 digits of 5 bits hold 270 bits: 256 and 14 zero bits

char check_digit(std::string_view group) {
  uint32_t sum = 0;
  for (char c : group) sum = sum * 7 + static_cast<uint32_t>(kAlphabet.find(c)) + 1;
  return kAlphabet[sum % 31];
}

std::string errno_text(int number) { return std::generic_category().message(number); }

}  // namespace

Result<SecretKey> load_key_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return error(errno == ENOENT ? Code::kNotFound : Code::kIoError, "key file " + path + ": " + errno_text(errno));
  struct stat st {};
  const bool too_open = ::fstat(fd, &st) != 0 || (st.st_mode & 077) != 0;
  char text[80] = {};
  const ssize_t n = ::read(fd, text, sizeof text - 1);
  ::close(fd);
  if (too_open) return error(Code::kPermissionDenied, "key file " + path + " may be read by others: chmod 600 it");
  std::string_view digits(text, n < 0 ? 0 : static_cast<size_t>(n));
  while (!digits.empty() && std::isspace(static_cast<unsigned char>(digits.back()))) digits.remove_suffix(1);
  auto bytes = from_hex(digits);
  OPENSSL_cleanse(text, sizeof text);
  if (!bytes || bytes->size() != SecretKey::kBytes) {
    return error(Code::kInvalidArgument, "key file " + path + " does not hold 64 hexadecimal digits");
  }
  return SecretKey::from_bytes(*bytes);
}

Result<SecretKey> create_key_file(const std::string& path, Random& random) {
  SecretKey key = SecretKey::random(random);
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) {
    return error(errno == EEXIST ? Code::kAlreadyExists : Code::kIoError, "key file " + path + ": " + errno_text(errno));
  }
  const std::string text = hex(key.bytes()) + "\n";
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  ::close(fd);
  if (!written) return error(Code::kIoError, "key file " + path + " could not be written");
  return key;
}

std::string recovery_key_text(const SecretKey& key) {
  std::string out;
  uint32_t bits = 0;
  int have = 0;
  size_t next = 0;
  for (size_t group = 0; group < kGroups; ++group) {
    std::string digits;
    while (digits.size() < kGroupDigits) {
      if (have < 5) {
        const auto byte = next < SecretKey::kBytes ? static_cast<uint32_t>(key.bytes()[next]) : 0;
        ++next;
        bits = (bits << 8) | byte;
        have += 8;
      }
      digits += kAlphabet[(bits >> (have - 5)) & 31];
      have -= 5;
    }
    if (group > 0) out += '-';
    out += digits + check_digit(digits);
  }
  return out;
}

Result<SecretKey> parse_recovery_key(std::string_view text) {
  std::string digits;
  for (char c : text) {
    if (c == '-' || std::isspace(static_cast<unsigned char>(c))) continue;
    c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    if (c == 'O') c = '0';
    if (c == 'I' || c == 'L') c = '1';
    if (kAlphabet.find(c) == std::string_view::npos) {
      return error(Code::kInvalidArgument, "a recovery key has no such character as '" + std::string(1, c) + "'");
    }
    digits += c;
  }
  if (digits.size() != kGroups * (kGroupDigits + 1)) {
    return error(Code::kInvalidArgument, "a recovery key has 9 groups of 7 characters");
  }
  Bytes bytes;
  uint32_t bits = 0;
  int have = 0;
  for (size_t group = 0; group < kGroups; ++group) {
    const std::string_view part = std::string_view(digits).substr(group * (kGroupDigits + 1), kGroupDigits + 1);
    if (check_digit(part.substr(0, kGroupDigits)) != part[kGroupDigits]) {
      return error(Code::kInvalidArgument, "group " + std::to_string(group + 1) + " of the recovery key is mistyped");
    }
    for (char c : part.substr(0, kGroupDigits)) {
      bits = (bits << 5) | static_cast<uint32_t>(kAlphabet.find(c));
      have += 5;
      if (have >= 8 && bytes.size() < SecretKey::kBytes) {
        bytes.push_back(static_cast<std::byte>(bits >> (have - 8)));
        have -= 8;
      }
    }
  }
  return SecretKey::from_bytes(bytes);
}

}  // namespace holdfast
