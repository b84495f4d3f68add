#include <algorithm>
#include <boost/json.hpp>
#include <iostream>
#include <thread>

#include "daemon/cli/calls.h"
#include "daemon/cli/output.h"
#include "daemon/duration.h"

namespace holdfast {

namespace json = boost::json;

namespace {

struct PolicyArguments {
  std::string name, tier;
  std::vector<std::string> files;
  bool wait = false;
};

// A policy may come before its cluster, as after a recovery, or name a wrong one.
Result<void> note_absent_cluster(AdminClient& client, const std::string& policy) {
  HF_TRY(const json::value made, client.call("GET", "/v1/policies/" + policy));
  HF_TRY(const json::value there, client.call("GET", "/v1/clusters"));
  const std::string cluster = text_at(made, "cluster");
  const json::array& clusters = there.at("clusters").as_array();
  if (std::any_of(clusters.begin(), clusters.end(), [&](const json::value& c) { return text_at(c, "name") == cluster; })) return {};
  std::cerr << "note: there is no cluster \"" << cluster << "\" yet: runs of policy " << policy << " fail until it is added (holdfast cluster add)\n";
  return {};
}

// Each file is one policy; what is wrong with one says where.
Result<void> apply(const CliContext& c, const PolicyArguments& a) {
  AdminClient client = client_of(c);
  for (const std::string& file : a.files) {
    HF_TRY(const std::string text, read_text_file(file == "-" ? "/dev/stdin" : file));
    const auto answer = client.call("POST", "/v1/policies", json::object{{"document", text}});
    if (!answer) return std::unexpected(answer.error().with_context(file));
    if (c.json()) print_json(*answer);
    else std::cout << "policy " << text_at(*answer, "name") << " applied\n";
    HF_CHECK(note_absent_cluster(client, text_at(*answer, "name")));
  }
  return {};
}

std::string last_of(const json::value& tier) {
  const json::array& runs = tier.at("runs").as_array();
  return runs.empty() ? "-" : text_at(runs.back(), "state");
}

Result<void> list(const CliContext& c) {
  HF_TRY(json::value answer, client_of(c).call("GET", "/v1/policies"));
  HF_TRY(const json::value schedules, client_of(c).call("GET", "/v1/schedules"));
  answer.as_object()["schedules"] = schedules.at("schedules");
  if (c.json()) {
    print_json(answer);
    return {};
  }
  std::vector<std::vector<std::string>> rows;
  for (const json::value& p : answer.at("policies").as_array()) {
    for (const json::value& t : p.at("tiers").as_array()) {
      const std::string next = p.at("paused").as_bool() ? "paused" : dash(text_at(t, "next"));
      rows.push_back({text_at(p, "name"), text_at(t, "name"), text_at(p, "cluster"), text_at(t, "schedule"), next, last_of(t), dash(text_at(t, "last_completed"))});
    }
  }
  // Velero's own, in the clusters: shown, and run by whoever serves them.
  for (const json::value& v : answer.at("schedules").as_array()) {
    const std::string next = v.at("paused").as_bool() ? "paused" : dash(text_at(v, "next"));
    rows.push_back({text_at(v, "name"), "(Schedule)", text_at(v, "cluster"), text_at(v, "schedule"), next, dash(text_at(v, "last_phase")), dash(text_at(v, "last_completed"))});
  }
  print_table({"POLICY", "TIER", "CLUSTER", "SCHEDULE", "NEXT", "LAST RUN", "LAST COMPLETED"}, rows);
  return {};
}

Result<void> describe(const CliContext& c, const std::string& name) {
  HF_TRY(const json::value p, client_of(c).call("GET", "/v1/policies/" + name));
  if (c.json()) {
    print_json(p);
    return {};
  }
  std::cout << "policy " << name << " of cluster " << text_at(p, "cluster") << (p.at("paused").as_bool() ? ", paused" : "") << "\n";
  for (const json::value& t : p.at("tiers").as_array()) {
    std::cout << "\ntier " << text_at(t, "name") << ": " << text_at(t, "schedule") << "; next " << dash(text_at(t, "next")) << "; " << number_at(t, "completed") << " completed, "
              << number_at(t, "partially_failed") << " partially failed, " << number_at(t, "failed") << " failed, " << number_at(t, "skipped") << " skipped\n";
    const uint64_t target = number_at(t, "rpo_target_seconds");
    std::cout << "newest good restore point: " << (text_at(t, "last_point").empty() ? "none" : length_text(static_cast<int64_t>(number_at(t, "rpo_seconds")) * 1000) + " old") << (target == 0 ? "" : ", target " + length_text(static_cast<int64_t>(target) * 1000))
              << (t.at("rpo_violated").as_bool() ? ", VIOLATED" : "") << "\n";
    std::vector<std::vector<std::string>> rows;
    for (const json::value& r : t.at("runs").as_array()) {
      rows.push_back({text_at(r, "id"), text_at(r, "due"), text_at(r, "trigger"), text_at(r, "state"), text_at(r, "attempt"), dash(text_at(r, "finished")), dash(text_at(r, "backup")), text_at(r, "reason")});
    }
    if (!rows.empty()) print_table({"RUN", "DUE", "BY", "STATE", "ATTEMPT", "FINISHED", "BACKUP", "REASON"}, rows);
  }
  return {};
}

Result<json::value> await_run(AdminClient& client, const std::string& policy, const std::string& tier, uint64_t id) {
  for (int turn = 0;; ++turn) {
    HF_TRY(const json::value p, client.call("GET", "/v1/policies/" + policy));
    const json::value* found = nullptr;
    for (const json::value& t : p.at("tiers").as_array()) {
      if (!tier.empty() && text_at(t, "name") != tier) continue;
      for (const json::value& r : t.at("runs").as_array()) {
        if (number_at(r, "id") == id) found = &r;
      }
    }
    if (found == nullptr) return error(Code::kNotFound, "nothing is known of run " + std::to_string(id) + " any more");
    const std::string state = text_at(*found, "state");
    if (state != "waiting" && state != "running") return *found;
    std::this_thread::sleep_for(std::chrono::milliseconds(turn < 100 ? 50 : 500));
  }
}

Result<void> run(const CliContext& c, const PolicyArguments& a) {
  AdminClient client = client_of(c);
  HF_TRY(const json::value begun, client.call("POST", "/v1/policies/" + a.name + "/run", json::object{{"tier", a.tier}}));
  if (!a.wait) {
    if (c.json()) print_json(begun);
    else std::cout << "run " << number_at(begun, "id") << " of policy " << a.name << " begins; `holdfast policy describe " << a.name << "` shows it\n";
    return {};
  }
  HF_TRY(const json::value ended, await_run(client, a.name, a.tier, number_at(begun, "id")));
  const std::string state = text_at(ended, "state"), reason = text_at(ended, "reason");
  c.told = c.json();
  if (c.json()) print_json(ended);
  else std::cout << dash(text_at(ended, "backup")) << ": " << state << ", " << number_at(ended, "items") << " items\n";
  if (state == "completed") return {};
  return error(Code::kFailedPrecondition, "run " + text_at(ended, "id") + " of policy \"" + a.name + "\" is " + state + (reason.empty() ? "" : ": " + reason));
}

struct PreviewArguments {
  std::string name, file;
  unsigned days = 92;
};

Result<void> preview(const CliContext& c, const PreviewArguments& a) {
  if (a.name.empty() == a.file.empty()) return error(Code::kInvalidArgument, "give the name of a policy, or --file with one that is not applied yet");
  json::object body{{"name", a.name}, {"days", a.days}};
  if (!a.file.empty()) {
    HF_TRY(body["document"], read_text_file(a.file == "-" ? "/dev/stdin" : a.file));
  }
  const auto answer = client_of(c).call("POST", "/v1/policies/forecast", body);
  if (!answer) return a.file.empty() ? std::unexpected(answer.error()) : std::unexpected(answer.error().with_context(a.file));
  if (c.json()) {
    print_json(*answer);
    return {};
  }
  std::vector<std::vector<std::string>> rows;
  for (const json::value& v : answer->at("points").as_array()) {
    const bool keep = v.at("keep").as_bool();
    rows.push_back({text_at(v, "backup"), text_at(v, "tier"), text_at(v, "started"), keep ? "keep" : "remove", keep ? dash(text_at(v, "until")) : "now", text_at(v, "why")});
  }
  print_table({"BACKUP", "TIER", "STARTED", "VERDICT", "UNTIL", "WHY"}, rows);
  std::cout << "\nIf every run completes at its time, up to " << text_at(*answer, "ends") << " (UNTIL -: longer than that):\n\n";
  rows.clear();
  for (const json::value& m : answer->at("months").as_array()) rows.push_back({text_at(m, "tier"), text_at(m, "month"), text_at(m, "kept"), dash(text_at(m, "oldest"))});
  print_table({"TIER", "END OF", "KEPT", "THE OLDEST FROM"}, rows);
  return {};
}

// One that takes the name of a policy and nothing else.
CLI::App* add_named(CLI::App* policy, CliContext& c, const std::shared_ptr<PolicyArguments>& a, const char* verb, const char* help, Result<void> (*work)(const CliContext&, const std::string&)) {
  auto* command = policy->add_subcommand(verb, help);
  command->add_option("NAME", a->name)->required();
  command->callback([&c, a, work] { c.run = [&c, a, work] { return work(c, a->name); }; });
  return command;
}

Result<void> pause(const CliContext& c, const std::string& name) { return call_quietly(c, "POST", "/v1/policies/" + name + "/pause", nullptr, "paused"); }
Result<void> resume(const CliContext& c, const std::string& name) { return call_quietly(c, "POST", "/v1/policies/" + name + "/resume", nullptr, "resumed"); }
Result<void> remove(const CliContext& c, const std::string& name) {
  return call_quietly(c, "DELETE", "/v1/policies/" + name, nullptr, "policy " + name + " deleted; its restore points stay until they are deleted");
}

}  // namespace

void add_policy_commands(CLI::App& app, CliContext& c) {
  auto* policy = app.add_subcommand("policy", "What is backed up when, and how long it is kept");
  policy->require_subcommand(1);
  auto a = std::make_shared<PolicyArguments>();
  auto* apply_command = policy->add_subcommand("apply", "Make policies, or replace those of the same names; a file with an error changes nothing");
  apply_command->add_option("FILE", a->files, "YAML or JSON, one policy a file; - is standard input")->required();
  apply_command->callback([&c, a] { c.run = [&c, a] { return apply(c, *a); }; });
  policy->add_subcommand("get", "List policies")->alias("list")->callback([&c] { c.run = [&c] { return list(c); }; });
  add_named(policy, c, a, "describe", "A policy's tiers and their latest runs", describe);
  add_named(policy, c, a, "pause", "Run it no more until it is resumed; what runs goes on", pause);
  add_named(policy, c, a, "resume", "Run it by its times again; those that passed are not made up for", resume);
  add_named(policy, c, a, "delete", "Forget it; its restore points stay until they are deleted", remove);
  auto* run_command = policy->add_subcommand("run", "Run it now, also while it is paused");
  run_command->add_option("NAME", a->name)->required();
  run_command->add_option("--tier", a->tier, "which of its tiers");
  run_command->add_flag("--wait", a->wait, "wait for the end; exit code 1 unless it completed");
  run_command->callback([&c, a] { c.run = [&c, a] { return run(c, *a); }; });
  auto* retention = app.add_subcommand("retention", "Which restore points stay, and why");
  retention->require_subcommand(1);
  auto p = std::make_shared<PreviewArguments>();
  auto* preview_command = retention->add_subcommand("preview", "What a policy makes of its restore points: now, and in the months to come");
  preview_command->add_option("NAME", p->name, "of a policy that is in force");
  preview_command->add_option("--file", p->file, "a policy that is not applied yet, instead; -: standard input");
  preview_command->add_option("--days", p->days, "how far to look ahead")->capture_default_str();
  preview_command->callback([&c, p] { c.run = [&c, p] { return preview(c, *p); }; });
}

}  // namespace holdfast
