#include <boost/json.hpp>
#include <iostream>
#include <thread>

#include "daemon/cli/calls.h"
#include "daemon/cli/output.h"
#include "daemon/cli/runs.h"
#include "daemon/duration.h"

namespace holdfast {

namespace json = boost::json;

namespace {

struct VerifyArguments {
  std::string backup, cluster, level, into, settings_file, ready_within;
  std::vector<std::string> namespaces, excluded_resources;
  bool custom_resources = false, open_network = false, no_wait = false;
};

Result<json::object> settings_of(const VerifyArguments& a) {
  HF_TRY(json::object settings, spec_file(a.settings_file));
  if (!a.level.empty()) settings["level"] = a.level;
  if (!a.into.empty()) settings["cluster"] = a.into;
  if (!a.ready_within.empty()) settings["readyWithin"] = a.ready_within;
  put_list(settings, "namespaces", a.namespaces);
  put_list(settings, "excludedResources", a.excluded_resources);
  if (a.custom_resources) settings["customResources"] = true;
  if (a.open_network) settings["network"] = "open";
  return settings;
}

Result<json::value> await_end_of(AdminClient& client, uint64_t id, bool show_steps) {
  std::string shown;
  for (int turn = 0;; ++turn) {
    HF_TRY(json::value run, client.call("GET", "/v1/verifications/" + std::to_string(id)));
    const std::string state = text_at(run, "state"), step = text_at(run, "step");
    if (state != "waiting" && state != "running") return run;
    if (show_steps && !step.empty() && step != shown) std::cerr << step << "\n";
    shown = step;
    std::this_thread::sleep_for(std::chrono::milliseconds(turn < 100 ? 50 : 500));
  }
}

std::string seconds_text(const json::value& v, const char* key) {
  const auto ms = static_cast<int64_t>(v.at(key).to_number<double>() * 1000);
  return std::to_string(ms / 1000) + "." + std::to_string(ms % 1000 / 100) + " s";
}

void print_run(const json::value& r) {
  std::cout << text_at(r, "backup") << ": " << text_at(r, "state") << ", level " << text_at(r, "level") << ", " << number_at(r, "items") << " objects";
  if (number_at(r, "compared") > 0) {
    std::cout << " restored, ready after " << seconds_text(r, "ready_seconds") << "; " << number_at(r, "awaited") << " waited for, " << number_at(r, "compared") << " compared, "
              << number_at(r, "dry_run") << " tried without being written, " << number_at(r, "checked") << " checks";
  }
  std::cout << "\n";
  for (const json::value& p : r.at("problem").as_array()) std::cout << text_of(p) << "\n";
}

Result<void> run(const CliContext& c, const VerifyArguments& a) {
  HF_TRY(const std::string cluster, cluster_of(c, a.cluster));
  HF_TRY(json::object settings, settings_of(a));
  AdminClient client = client_of(c);
  HF_TRY(const json::value begun, client.call("POST", "/v1/clusters/" + cluster + "/backups/" + a.backup + "/verify", std::move(settings)));
  if (a.no_wait) {
    if (c.json()) print_json(begun);
    else std::cout << "verification " << number_at(begun, "id") << " stands in line; `holdfast verify status` shows it\n";
    return {};
  }
  HF_TRY(const json::value ended, await_end_of(client, number_at(begun, "id"), !c.json()));
  const std::string state = text_at(ended, "state"), reason = text_at(ended, "reason");
  c.told = c.json();
  if (c.json()) print_json(ended);
  else print_run(ended);
  if (state == "undecided") return error(Code::kFailedPrecondition, "whether \"" + a.backup + "\" is good could not be found out: " + reason);
  if (state == "failed") return error(Code::kCorrupt, "\"" + a.backup + "\" failed its verification: " + text_at(ended, "problems") + " problems");
  if (!c.json() && !reason.empty()) std::cout << reason << "\n";
  return {};
}

Result<void> status(const CliContext& c) {
  HF_TRY(const json::value answer, client_of(c).call("GET", "/v1/verifications"));
  if (c.json()) {
    print_json(answer);
    return {};
  }
  std::vector<std::vector<std::string>> rows;
  for (const json::value& o : answer.at("orders").as_array()) {
    const std::string success = dash(text_at(o, "last_success")) + (o.at("overdue").as_bool() ? ", OVERDUE" : "");
    const std::string rto = o.at("rto_seconds").to_number<double>() > 0 ? seconds_text(o, "rto_seconds") : "-";
    rows.push_back({text_at(o, "policy"), text_at(o, "tier"), text_at(o, "cluster"), text_at(o, "level"), dash(text_at(o, "next")), success, dash(text_at(o, "last_state")), rto, text_at(o, "last_reason")});
  }
  if (rows.empty()) std::cout << "No policy wants anything verified.\n";
  else print_table({"POLICY", "TIER", "CLUSTER", "LEVEL", "NEXT", "LAST SUCCESS", "LAST", "RTO", "REASON"}, rows);
  rows.clear();
  for (const json::value& r : answer.at("runs").as_array()) {
    const json::array& problems = r.at("problem").as_array();
    const std::string state = text_at(r, "state") + (text_at(r, "step").empty() ? "" : ": " + text_at(r, "step"));
    rows.push_back({text_at(r, "id"), text_at(r, "cluster"), text_at(r, "backup"), text_at(r, "level"), state, dash(text_at(r, "finished")), problems.empty() ? text_at(r, "reason") : text_of(problems.front())});
  }
  if (rows.empty()) return {};
  std::cout << "\n";
  print_table({"ID", "CLUSTER", "BACKUP", "LEVEL", "STATE", "FINISHED", "REASON"}, rows);
  return {};
}

void print_evidence(const std::string& level, const json::value& e) {
  if (e.is_null()) {
    std::cout << "level " << level << ": never tried\n";
    return;
  }
  const std::string where = text_at(e, "cluster");
  std::cout << "level " << level << ": " << (e.at("good").as_bool() ? "good" : "FAILED") << ", " << text_at(e, "finished") << ", " << number_at(e, "items") << " objects in " << seconds_text(e, "took_seconds")
            << (where.empty() ? "" : ", in cluster " + where + ", ready after " + seconds_text(e, "ready_seconds")) << "\n";
  for (const json::value& p : e.at("problems").as_array()) std::cout << "  " << text_of(p) << "\n";
}

Result<void> show(const CliContext& c, const VerifyArguments& a) {
  HF_TRY(const std::string cluster, cluster_of(c, a.cluster));
  HF_TRY(const json::value evidence, client_of(c).call("GET", "/v1/clusters/" + cluster + "/backups/" + a.backup + "/evidence"));
  if (c.json()) {
    print_json(evidence);
    return {};
  }
  std::cout << a.backup << (evidence.at("verified").as_bool() ? " is verified\n" : " is not verified\n");
  for (const char* level : {"read", "restore"}) print_evidence(level, evidence.at(level));
  return {};
}

}  // namespace

void add_verify_commands(CLI::App& app, CliContext& c) {
  auto* verify = app.add_subcommand("verify", "Would restore points restore? Reading them whole, or restoring them for a trial");
  verify->require_subcommand(1);
  auto a = std::make_shared<VerifyArguments>();
  auto* run_command = verify->add_subcommand("run", "Verify a restore point now, as its policy says where no option says otherwise, and wait; exit code 1 unless it is good");
  run_command->add_option("BACKUP", a->backup)->required();
  run_command->add_option("--cluster", a->cluster, "whose; needed where there are several");
  run_command->add_option("--level", a->level, "restore: into namespaces made for it and removed again; read: archive, companions and copies to their ends")->check(CLI::IsMember({"restore", "read"}));
  run_command->add_option("--into", a->into, "the registered cluster where it is tried; default: its own");
  run_command->add_option("--namespaces", a->namespaces, "restore these alone; default: all but the cluster's own")->delimiter(',');
  run_command->add_option("--exclude-resources", a->excluded_resources)->delimiter(',');
  run_command->add_option("--ready-within", a->ready_within, "30s, 10m: how long everything may take to become ready; default 10m");
  run_command->add_flag("--custom-resources", a->custom_resources, "restore custom resources, too: their controllers may act on the world outside");
  run_command->add_flag("--open-network", a->open_network, "no network policy keeps the restored pods among themselves");
  run_command->add_option("--settings-file", a->settings_file, "JSON with fields of a policy's `verification`, such as checks");
  run_command->add_flag("--no-wait", a->no_wait);
  run_command->callback([&c, a] { c.run = [&c, a] { return run(c, *a); }; });
  verify->add_subcommand("status", "What policies want verified and what it has come to; what runs and has ended since the daemon's start")->callback([&c] { c.run = [&c] { return status(c); }; });
  auto* show_command = verify->add_subcommand("show", "The evidence that is kept with a restore point");
  show_command->add_option("BACKUP", a->backup)->required();
  show_command->add_option("--cluster", a->cluster, "whose; needed where there are several");
  show_command->callback([&c, a] { c.run = [&c, a] { return show(c, *a); }; });
}

}  // namespace holdfast
