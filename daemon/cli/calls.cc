#include "daemon/cli/calls.h"

#include <boost/json.hpp>
#include <fstream>
#include <iostream>
#include <sstream>

#include "daemon/cli/output.h"

namespace holdfast {

namespace json = boost::json;

AdminClient client_of(const CliContext& c) {
  std::string token;
  if (!c.token_file.empty()) {
    std::ifstream file(c.token_file);
    std::getline(file, token);
  }
  return AdminClient(c.where, token);
}

Result<void> call_quietly(const CliContext& c, const std::string& method, const std::string& path, const json::value& body,
                          const std::string& done) {
  HF_TRY(const json::value answer, client_of(c).call(method, path, body));
  if (c.json()) print_json(answer);
  else std::cout << done << "\n";
  return {};
}

Result<std::string> read_text_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) return error(Code::kNotFound, "cannot read " + path);
  return text.str();
}

std::string text_of(const json::value& v) { return v.is_string() ? std::string(v.as_string()) : json::serialize(v); }
std::string text_at(const json::value& v, const char* key) { return text_of(v.as_object().at(key)); }
uint64_t number_at(const json::value& v, const char* key) { return v.as_object().at(key).to_number<uint64_t>(); }

}  // namespace holdfast
