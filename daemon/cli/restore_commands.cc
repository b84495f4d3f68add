#include <boost/json.hpp>
#include <ctime>
#include <iostream>

#include "daemon/cli/calls.h"
#include "daemon/cli/output.h"
#include "daemon/cli/runs.h"

namespace holdfast {

namespace json = boost::json;

namespace {

struct RestoreArguments {
  std::string cluster, name, backup, schedule, from_cluster, from_site, spec_file, selector, include_cluster_resources, policy, restore_volumes, modifiers;
  std::vector<std::string> included_namespaces, excluded_namespaces, included_resources, excluded_resources, mappings, status_included, status_excluded;
  int64_t namespace_timeout_s = 600;
  bool preserve_node_ports = false, partial = false, dry_run = false, wait = false;
};

Result<json::object> mapping_of(const std::vector<std::string>& mappings) {
  json::object out;
  for (const std::string& m : mappings) {
    const size_t colon = m.find(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == m.size()) return error(Code::kInvalidArgument, "--namespace-mappings: \"" + m + "\" is not FROM:TO");
    out[m.substr(0, colon)] = m.substr(colon + 1);
  }
  return out;
}

Result<json::object> spec_of(const RestoreArguments& a) {
  HF_TRY(json::object spec, spec_file(a.spec_file));
  if (!a.backup.empty()) spec["backupName"] = a.backup;
  if (!a.schedule.empty()) spec["scheduleName"] = a.schedule;
  put_list(spec, "includedNamespaces", a.included_namespaces);
  put_list(spec, "excludedNamespaces", a.excluded_namespaces);
  put_list(spec, "includedResources", a.included_resources);
  put_list(spec, "excludedResources", a.excluded_resources);
  if (!a.selector.empty()) {
    HF_TRY(json::object labels, labels_of(a.selector));
    spec["labelSelector"] = json::object{{"matchLabels", std::move(labels)}};
  }
  if (!a.include_cluster_resources.empty()) spec["includeClusterResources"] = a.include_cluster_resources == "true";
  if (!a.restore_volumes.empty()) spec["restorePVs"] = a.restore_volumes == "true";
  if (!a.policy.empty()) spec["existingResourcePolicy"] = a.policy;
  if (!a.modifiers.empty()) spec["resourceModifier"] = json::object{{"kind", "configmap"}, {"name", a.modifiers}};
  if (a.preserve_node_ports) spec["preserveNodePorts"] = true;
  if (!a.mappings.empty()) {
    HF_TRY(spec["namespaceMapping"], mapping_of(a.mappings));
  }
  if (!a.status_included.empty() || !a.status_excluded.empty()) {
    json::object status;
    put_list(status, "includedResources", a.status_included);
    put_list(status, "excludedResources", a.status_excluded);
    spec["restoreStatus"] = std::move(status);
  }
  return spec;
}

std::string name_or_time(const RestoreArguments& a, const std::string& prefix) {
  if (!a.name.empty()) return a.name;
  char text[32];
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::strftime(text, sizeof text, "%Y%m%d%H%M%S", &parts);
  return prefix + "-" + text;
}

// What would happen, object by object; then what is missing.
Result<void> print_plan(const CliContext& c, const json::value& r) {
  c.told = c.json();
  const auto* plan = r.as_object().if_contains("plan");
  const json::array& lacks = r.at("lacks").as_array();
  if (c.json()) print_json(r);
  if (plan == nullptr) {
    const std::string why = reason_of(r);
    return error(Code::kFailedPrecondition, "no plan could be made: " + (why.empty() ? text_at(r, "phase") : why));
  }
  if (!c.json()) {
    std::vector<std::vector<std::string>> rows;
    for (const json::value& i : plan->at("items").as_array()) {
      rows.push_back({text_at(i, "action"), text_at(i, "resource"), text_at(i, "namespace"), text_at(i, "name"), text_at(i, "why")});
    }
    print_table({"WOULD BE", "RESOURCE", "NAMESPACE", "NAME", "WHY"}, rows);
    for (const auto& [action, count] : plan->at("counts").as_object()) std::cout << action << ": " << text_of(count) << "\n";
    for (const json::value& lack : lacks) std::cout << "missing: " << text_of(lack) << "\n";
  }
  const uint64_t failing = number_at(plan->at("counts"), "failed");
  if (lacks.empty() && failing == 0) return {};
  return error(Code::kFailedPrecondition, "the restore would be incomplete: " + std::to_string(lacks.size()) + " things are missing, " +
                                              std::to_string(failing) + " objects would fail");
}

Result<void> create(const CliContext& c, const RestoreArguments& a) {
  HF_TRY(const std::string cluster, cluster_of(c, a.cluster));
  HF_TRY(json::object spec, spec_of(a));
  const std::string path = "/v1/clusters/" + cluster + "/restores";
  const std::string name = name_or_time(a, a.dry_run ? "plan" : a.backup.empty() ? "restore" : a.backup);
  AdminClient client = client_of(c);
  HF_CHECK(client.call("POST", path, json::object{{"name", name}, {"spec", std::move(spec)}, {"from_cluster", a.from_cluster}, {"from_site", a.from_site}, {"plan", a.dry_run},
                                                  {"partial", a.partial}, {"namespace_timeout_s", a.namespace_timeout_s}}));
  if (!a.wait && !a.dry_run) {
    if (!c.json()) std::cout << "restore " << name << " into cluster " << cluster << " has been asked for; `holdfast restore list` shows it\n";
    return {};
  }
  HF_TRY(const json::value r, await_end(client, path + "/" + name));
  return a.dry_run ? print_plan(c, r) : print_ended(c, "restore", r);
}

Result<void> plan(const CliContext& c, const RestoreArguments& a) {
  RestoreArguments planned = a;
  planned.dry_run = true;
  return create(c, planned);
}

Result<void> list(const CliContext& c, const RestoreArguments& a) {
  HF_TRY(const std::string cluster, cluster_of(c, a.cluster));
  HF_TRY(const json::value answer, client_of(c).call("GET", "/v1/clusters/" + cluster + "/restores"));
  if (c.json()) {
    print_json(answer);
    return {};
  }
  std::vector<std::vector<std::string>> rows;
  for (const json::value& r : answer.at("restores").as_array()) {
    rows.push_back({text_at(r, "name"), text_at(r, "backup"), text_at(r, "phase"), text_at(r, "items") + "/" + text_at(r, "total"), text_at(r, "warnings"),
                    text_at(r, "errors"), text_at(r, "started")});
  }
  print_table({"RESTORE", "BACKUP", "PHASE", "ITEMS", "WARNINGS", "ERRORS", "STARTED"}, rows);
  print_reasons(answer.at("restores").as_array());
  return {};
}

Result<void> describe(const CliContext& c, const RestoreArguments& a) {
  HF_TRY(const std::string cluster, cluster_of(c, a.cluster));
  return print_document(c, "/v1/clusters/" + cluster + "/restores/" + a.name);
}

Result<void> logs(const CliContext& c, const RestoreArguments& a) {
  HF_TRY(const std::string cluster, cluster_of(c, a.cluster));
  return print_log(c, "/v1/clusters/" + cluster + "/restores/" + a.name);
}

Result<void> remove(const CliContext& c, const RestoreArguments& a) {
  HF_TRY(const std::string cluster, cluster_of(c, a.cluster));
  return call_quietly(c, "DELETE", "/v1/clusters/" + cluster + "/restores/" + a.name, nullptr, "deleted");
}

void add_choice(CLI::App& command, RestoreArguments& a) {
  const auto flag = CLI::IsMember({"true", "false"});
  auto* backup = command.add_option("--backup", a.backup, "the restore point");
  command.add_option("--from-schedule", a.schedule, "the newest Completed restore point of a schedule")->excludes(backup);
  command.add_option("--from-cluster", a.from_cluster, "whose restore point it is; default: the cluster that is restored");
  command.add_option("--from-site", a.from_site, "read its copy at this site; --from-cluster is then its cluster's name there");
  command.add_option("--include-namespaces", a.included_namespaces, "names or patterns; default: all")->delimiter(',');
  command.add_option("--exclude-namespaces", a.excluded_namespaces)->delimiter(',');
  command.add_option("--include-resources", a.included_resources, "resources such as deployments.apps; default: all")->delimiter(',');
  command.add_option("--exclude-resources", a.excluded_resources)->delimiter(',');
  command.add_option("--include-cluster-resources", a.include_cluster_resources, "true or false; default: with all namespaces")->check(flag);
  command.add_option("--selector", a.selector, "labels: KEY=VALUE,...");
  command.add_option("--namespace-mappings", a.mappings, "FROM:TO,...: into other namespaces")->delimiter(',');
  command.add_option("--existing-resource-policy", a.policy, "what becomes of objects that are there and differ: none (default) or update")
      ->check(CLI::IsMember({"none", "update"}));
  command.add_option("--restore-volumes", a.restore_volumes, "false: volumes come back empty")->check(flag);
  command.add_flag("--preserve-nodeports", a.preserve_node_ports, "keep node ports that the cluster had chosen");
  command.add_option("--resource-modifier-configmap", a.modifiers, "ConfigMap with changes to objects, in the cluster's Velero namespace");
  command.add_option("--status-include-resources", a.status_included, "resources whose status comes back, too")->delimiter(',');
  command.add_option("--status-exclude-resources", a.status_excluded)->delimiter(',');
  command.add_option("--spec", a.spec_file, "file with a Restore.spec as JSON, for everything else");
}

}  // namespace

void add_restore_commands(CLI::App& app, CliContext& c) {
  auto* restore = app.add_subcommand("restore", "Restores into clusters");
  restore->require_subcommand(1);
  auto a = std::make_shared<RestoreArguments>();
  restore->add_option("--cluster", a->cluster, "the cluster that is written to; not needed where there is only one");
  restore->fallthrough();
  auto* create_command = restore->add_subcommand("create", "Restore now; nothing is written when something would be missing afterwards");
  create_command->add_option("NAME", a->name, "name of the restore; default: the backup's with the time");
  add_choice(*create_command, *a);
  create_command->add_flag("--partial", a->partial, "restore what can be, although something will be missing");
  create_command->add_option("--namespace-timeout", a->namespace_timeout_s, "seconds to wait for a namespace that is terminating; default: 600")
      ->check(CLI::Range(0, 86'400));
  create_command->add_flag("--dry-run", a->dry_run, "as `restore plan`");
  create_command->add_flag("--wait", a->wait, "wait for its end; exit code 1 unless it is Completed");
  create_command->callback([&c, a] { c.run = [&c, a] { return create(c, *a); }; });
  auto* plan_command = restore->add_subcommand("plan", "Say what a restore would do and what the cluster lacks for it; exit code 1 when it would be incomplete");
  add_choice(*plan_command, *a);
  plan_command->callback([&c, a] { c.run = [&c, a] { return plan(c, *a); }; });
  restore->add_subcommand("list", "List restores")->callback([&c, a] { c.run = [&c, a] { return list(c, *a); }; });
  const auto add = [&](const char* verb, const char* help, Result<void> (*action)(const CliContext&, const RestoreArguments&)) {
    auto* command = restore->add_subcommand(verb, help);
    command->add_option("NAME", a->name)->required();
    command->callback([&c, a, action] { c.run = [&c, a, action] { return action(c, *a); }; });
  };
  add("describe", "The Restore object, as JSON", describe);
  add("logs", "What a restore said", logs);
  add("delete", "Delete a restore's records; what it brought into the cluster stays", remove);
}

}  // namespace holdfast
