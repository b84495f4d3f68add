#include "daemon/verification_fields.h"

#include <algorithm>
#include <boost/json.hpp>

#include "storage/base/names.h"

namespace holdfast {

namespace json = boost::json;

namespace {

constexpr size_t kMostChecks = 100;

std::vector<std::string> texts(const PolicyFields& f, const char* key) {
  std::vector<std::string> out;
  const json::value* given = f.find(key);
  if (given == nullptr) return out;
  if (!given->is_array()) f.refuse(key, "it is not a list");
  for (const json::value& v : given->get_array()) {
    if (!v.is_string() || v.get_string().empty()) f.refuse(key, "there is something else than a text in it");
    out.emplace_back(v.get_string());
  }
  return out;
}

// Goes into the path of a call as it is.
bool is_plain(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '#' && c != '\\'; });
}

void read_exec(const PolicyFields& f, k8s::TrialCheck& check) {
  f.only({"namespace", "pod", "selector", "container", "command"});
  check.name_space = f.name("namespace");
  check.pod = f.text("pod");
  check.selector = f.text("selector");
  check.container = f.text("container");
  check.command = texts(f, "command");
  if (check.command.empty()) f.refuse("command", "it is missing: a list of words");
  if (check.pod.empty() == check.selector.empty()) f.refuse("pod", "either \"pod\" or \"selector\" says where");
  if (!check.pod.empty() && !is_dns_subdomain(check.pod)) f.refuse("pod", "it is no name of a pod");
}

void read_http(const PolicyFields& f, k8s::TrialCheck& check) {
  f.only({"namespace", "service", "port", "path"});
  check.name_space = f.name("namespace");
  check.service = f.name("service");
  const json::value& port = f.required("port");
  check.port = port.is_int64() ? std::to_string(port.get_int64()) : f.text("port");
  if (!is_dns_label(check.port)) f.refuse("port", "it is neither a number nor a name of a port");
  check.path = f.find("path") == nullptr ? "/" : f.text("path");
  if (!check.path.starts_with('/') || !is_plain(check.path)) f.refuse("path", "it does not begin with a slash, or has something else than plain characters");
}

k8s::TrialCheck check_of(const json::value& given, const std::string& path) {
  const PolicyFields f(given, path);
  f.only({"exec", "http", "within"});
  k8s::TrialCheck check;
  check.within = std::chrono::milliseconds(f.length_ms("within", check.within.count()));
  const json::value* exec = f.find("exec");
  const json::value* http = f.find("http");
  if ((exec == nullptr) == (http == nullptr)) throw BadField{path, "it is neither \"exec\" nor \"http\""};
  if (exec != nullptr) read_exec(PolicyFields(*exec, f.path_of("exec")), check);
  else read_http(PolicyFields(*http, f.path_of("http")), check);
  return check;
}

bool flag(const PolicyFields& f, const char* key, bool otherwise) { return f.find(key) == nullptr ? otherwise : f.flag(key); }

}  // namespace

const char* name_of(VerificationRule::Level level) { return level == VerificationRule::Level::kRead ? "read" : "restore"; }

const std::set<std::string_view>& verification_keys() {
  static const std::set<std::string_view> keys{"level", "copies", "cluster", "namespaces", "excludedResources", "customResources", "network", "readyWithin", "checks"};
  return keys;
}

VerificationRule verification_rule(const PolicyFields& f, VerificationRule rule) {
  if (f.find("level") != nullptr) rule.level = f.choice("level", {"restore", "read"}) == 0 ? VerificationRule::Level::kRestore : VerificationRule::Level::kRead;
  rule.copies = flag(f, "copies", rule.copies);
  if (f.find("cluster") != nullptr) rule.into = f.name("cluster");
  if (f.find("namespaces") != nullptr) {
    rule.namespaces = texts(f, "namespaces");
    for (const std::string& name : rule.namespaces) {
      if (!is_dns_label(name)) f.refuse("namespaces", "\"" + name + "\" is no name of a namespace");
    }
  }
  if (f.find("excludedResources") != nullptr) rule.excluded_resources = texts(f, "excludedResources");
  rule.custom_resources = flag(f, "customResources", rule.custom_resources);
  if (f.find("network") != nullptr) rule.isolated = f.choice("network", {"isolated", "open"}) == 0;
  rule.ready_within_ms = f.length_ms("readyWithin", rule.ready_within_ms);
  const json::value* checks = f.find("checks");
  if (checks == nullptr) return rule;
  if (!checks->is_array()) f.refuse("checks", "it is not a list");
  if (checks->get_array().size() > kMostChecks) f.refuse("checks", "more than " + std::to_string(kMostChecks));
  rule.checks.clear();
  for (const json::value& given : checks->get_array()) rule.checks.push_back(check_of(given, f.path_of("checks") + "[" + std::to_string(rule.checks.size()) + "]"));
  return rule;
}

}  // namespace holdfast
