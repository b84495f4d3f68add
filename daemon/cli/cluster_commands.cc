#include <boost/json.hpp>
#include <filesystem>
#include <iostream>

#include "daemon/cli/calls.h"
#include "daemon/cli/output.h"
#include "daemon/cli/rbac_manifest.h"

namespace holdfast {

namespace json = boost::json;

namespace {

struct ClusterArguments {
  std::string name, kubeconfig, context, name_space = "velero", bucket = "holdfast";
  bool backup_only = false, serve = true;
};

void print_missing(const json::value& findings, const char* key, const char* what) {
  const json::array& missing = findings.at(key).as_array();
  if (missing.empty()) return;
  std::cout << what << ":\n";
  for (const json::value& m : missing) std::cout << "  " << text_of(m) << "\n";
}

// What a cluster said. An error where backups would not be whole.
Result<void> print_findings(const CliContext& c, const std::string& name, const json::value& f) {
  if (c.json()) {
    print_json(f);
    c.told = true;
  } else if (f.at("reachable").as_bool()) {
    std::cout << name << ": Kubernetes " << text_at(f, "version") << ", " << number_at(f, "kinds") << " kinds of objects\n";
    print_missing(f, "missing_groups", "APIs that do not answer; their objects are not backed up");
    print_missing(f, "missing_for_backup", "permissions missing for backups");
    print_missing(f, "missing_for_restore", "permissions missing for restores");
  }
  if (!f.at("reachable").as_bool()) return error(Code::kUnavailable, "cluster \"" + name + "\": " + text_at(f, "problem"));
  if (!f.at("missing_for_backup").as_array().empty()) {
    return error(Code::kPermissionDenied, "cluster \"" + name + "\": permissions are missing; `holdfast cluster rbac` prints a manifest that gives them");
  }
  return {};
}

Result<void> add(const CliContext& c, const ClusterArguments& a) {
  HF_TRY(const std::string text, read_text_file(a.kubeconfig));
  std::error_code ignored;
  const std::string directory = std::filesystem::absolute(a.kubeconfig, ignored).parent_path().string();
  const json::object body{{"name", a.name}, {"kubeconfig", text}, {"kubeconfig_directory", directory}, {"context", a.context},
                          {"namespace", a.name_space}, {"bucket", a.bucket}, {"serve", a.serve}};
  HF_TRY(const json::value findings, client_of(c).call("POST", "/v1/clusters", body));
  if (!c.json()) std::cout << "cluster " << a.name << " added; its restore points lie in " << a.bucket << "/clusters/" << a.name << "/\n";
  return print_findings(c, a.name, findings);
}

Result<void> list(const CliContext& c) {
  HF_TRY(const json::value answer, client_of(c).call("GET", "/v1/clusters"));
  if (c.json()) {
    print_json(answer);
    return {};
  }
  std::vector<std::vector<std::string>> rows;
  for (const json::value& s : answer.at("clusters").as_array()) {
    const std::string role = text_at(s, "role"), alarm = text_at(s, "alarm");
    const std::string reason = alarm.empty() ? text_at(s, "role_reason") : alarm;
    rows.push_back({text_at(s, "name"), text_at(s, "server"), text_at(s, "namespace"), text_at(s, "bucket") + "/" + text_at(s, "prefix"),
                    role.empty() ? "-" : role + (reason.empty() ? "" : ": " + reason)});
  }
  print_table({"CLUSTER", "SERVER", "NAMESPACE", "RESTORE POINTS", "VELERO OBJECTS"}, rows);
  return {};
}

Result<void> check(const CliContext& c, const std::string& name) {
  HF_TRY(const json::value findings, client_of(c).call("GET", "/v1/clusters/" + name + "/check"));
  return print_findings(c, name, findings);
}

}  // namespace

void add_cluster_commands(CLI::App& app, CliContext& c) {
  auto* cluster = app.add_subcommand("cluster", "Kubernetes clusters");
  cluster->require_subcommand(1);
  auto a = std::make_shared<ClusterArguments>();
  auto* add_command = cluster->add_subcommand("add", "Register a cluster: checks that it can be reached and what is permitted there");
  add_command->add_option("NAME", a->name, "name of the cluster here")->required();
  add_command->add_option("--kubeconfig", a->kubeconfig, "file with server, authority and credentials")->required();
  add_command->add_option("--context", a->context, "context in it; default: the current one");
  add_command->add_option("--namespace", a->name_space, "namespace of the velero.io objects")->capture_default_str();
  add_command->add_option("--bucket", a->bucket, "bucket of its restore points; made where it is missing")->capture_default_str();
  add_command->add_flag("!--no-velero-objects", a->serve, "do not serve its velero.io objects: nothing is installed there, and only `holdfast` commands work");
  add_command->callback([&c, a] { c.run = [&c, a] { return add(c, *a); }; });
  cluster->add_subcommand("list", "List clusters")->callback([&c] { c.run = [&c] { return list(c); }; });
  auto* check_command = cluster->add_subcommand("check", "Can it be reached, and what is permitted there? Exit code 1 when backups would not be whole");
  check_command->add_option("NAME", a->name)->required();
  check_command->callback([&c, a] { c.run = [&c, a] { return check(c, a->name); }; });
  auto* remove = cluster->add_subcommand("remove", "Forget a cluster and its access key; its restore points stay");
  remove->add_option("NAME", a->name)->required();
  remove->callback([&c, a] { c.run = [&c, a] { return call_quietly(c, "DELETE", "/v1/clusters/" + a->name, nullptr, "removed"); }; });
  auto* rbac = cluster->add_subcommand("rbac", "Print a manifest with the permissions that Holdfast needs; apply it with kubectl");
  rbac->add_flag("--backup-only", a->backup_only, "without what restores need");
  rbac->add_option("--namespace", a->name_space, "namespace of the service account")->capture_default_str();
  rbac->callback([&c, a] {
    c.run = [a]() -> Result<void> {
      std::cout << rbac_manifest(a->backup_only, a->name_space);
      return {};
    };
  });
}

}  // namespace holdfast
