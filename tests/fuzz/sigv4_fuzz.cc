// Signatures in headers and queries: whatever arrives, nobody gets in.
#include "s3gw/auth/sigv4_check.h"

using namespace holdfast;

namespace {
class OneUser final : public UserStore {
 public:
  std::vector<User> users() const override { return {}; }
  std::optional<User> user(const std::string& key) const override {
    if (key != "AK") return std::nullopt;
    User u;
    u.access_key = "AK";
    u.secret = "secret";
    return u;
  }
  Result<void> put_user(User) override { return {}; }
  Result<void> remove_user(const std::string&) override { return {}; }
};
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t cut = std::min(text.find('\n'), text.size());
  HttpRequest request;
  request.method = "GET";
  request.target = "/b/k?" + std::string(text.substr(0, cut));
  request.headers.add("host", "localhost");
  request.headers.add("x-amz-date", "20260102T030405Z");
  request.headers.add("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
  if (cut < text.size()) request.headers.add("authorization", std::string(text.substr(cut + 1)));
  const auto query = s3::Query::parse(request.query());
  if (!query) return 0;
  const OneUser users;
  if (s3::check_signature(request, *query, users, "us-east-1", 1767323045000)) __builtin_trap();
  return 0;
}
