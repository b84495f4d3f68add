#include "daemon/cli/runs.h"

#include <iostream>
#include <sstream>
#include <thread>

#include "daemon/cli/calls.h"
#include "daemon/cli/output.h"

namespace holdfast {

namespace json = boost::json;

Result<std::string> cluster_of(const CliContext& c, const std::string& named) {
  if (!named.empty()) return named;
  HF_TRY(const json::value answer, client_of(c).call("GET", "/v1/clusters"));
  const json::array& all = answer.at("clusters").as_array();
  if (all.size() == 1) return text_at(all.front(), "name");
  return error(Code::kInvalidArgument, all.empty() ? "there is no cluster; `holdfast cluster add` registers one" : "there are several clusters; name one with --cluster");
}

Result<json::object> labels_of(const std::string& selector) {
  json::object labels;
  std::istringstream parts(selector);
  for (std::string part; std::getline(parts, part, ',');) {
    const size_t equals = part.find('=');
    if (equals == std::string::npos || equals == 0) return error(Code::kInvalidArgument, "--selector: \"" + part + "\" is not KEY=VALUE");
    const size_t value = part.compare(equals, 2, "==") == 0 ? equals + 2 : equals + 1;
    labels[part.substr(0, equals)] = part.substr(value);
  }
  return labels;
}

Result<json::object> spec_file(const std::string& path) {
  if (path.empty()) return json::object();
  HF_TRY(const std::string text, read_text_file(path));
  boost::system::error_code ec;
  json::value v = json::parse(text, ec);
  if (ec || !v.is_object()) return error(Code::kInvalidArgument, path + " is not a JSON object");
  return std::move(v.as_object());
}

void put_list(json::object& spec, const char* key, const std::vector<std::string>& list) {
  if (!list.empty()) spec[key] = json::array(list.begin(), list.end());
}

Result<json::value> await_end(AdminClient& client, const std::string& path) {
  for (int turn = 0;; ++turn) {
    HF_TRY(json::value run, client.call("GET", path));
    const std::string phase = text_at(run, "phase");
    if (phase != "Queued" && phase != "InProgress") return run;
    std::this_thread::sleep_for(std::chrono::milliseconds(turn < 100 ? 30 : 500));
  }
}

std::string reason_of(const json::value& b) {
  std::string why = text_at(b, "failure_reason");
  for (const json::value& v : b.at("validation_errors").as_array()) why += (why.empty() ? "" : "; ") + text_of(v);
  return why;
}

void print_reasons(const json::array& runs) {
  for (const json::value& r : runs) {
    if (const std::string why = reason_of(r); !why.empty()) std::cout << text_at(r, "name") << ": " << why << "\n";
  }
}

Result<void> print_document(const CliContext& c, const std::string& path) {
  HF_TRY(const json::value document, client_of(c).call("GET", path + "/document"));
  print_json(document);
  return {};
}

Result<void> print_log(const CliContext& c, const std::string& path) {
  HF_TRY(const json::value answer, client_of(c).call("GET", path + "/log"));
  if (c.json()) print_json(answer);
  else std::cout << text_at(answer, "log");
  return {};
}

Result<void> print_ended(const CliContext& c, const std::string& what, const json::value& b) {
  const std::string phase = text_at(b, "phase"), name = text_at(b, "name");
  c.told = c.json();
  if (c.json()) print_json(b);
  else std::cout << name << ": " << phase << ", " << number_at(b, "items") << " items, " << number_at(b, "warnings") << " warnings, " << number_at(b, "errors") << " errors\n";
  if (phase == "Completed") return {};
  std::string why = reason_of(b);
  if (phase == "PartiallyFailed") why = "`holdfast " + what + " logs " + name + "` says what is missing";
  return error(Code::kFailedPrecondition, what + " \"" + name + "\" ended as " + phase + (why.empty() ? "" : ": " + why));
}

}  // namespace holdfast
