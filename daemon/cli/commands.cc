#include "daemon/cli/commands.h"

#include <boost/json.hpp>
#include <fstream>
#include <iostream>
#include <thread>

#include "daemon/cli/calls.h"
#include "daemon/cli/output.h"
#include "daemon/duration.h"

namespace holdfast {

namespace json = boost::json;

namespace {

Result<void> print_pools(const CliContext& c, const json::value& answer) {
  if (c.json()) {
    print_json(answer);
    return {};
  }
  std::vector<std::vector<std::string>> rows;
  for (const json::value& p : answer.at("pools").as_array()) {
    rows.push_back({text_at(p, "name"), text_at(p, "state"), bytes_text(number_at(p, "capacity_bytes")),
                    bytes_text(number_at(p, "live_bytes") + number_at(p, "journal_live_bytes")),
                    bytes_text(number_at(p, "garbage_bytes")), bytes_text(number_at(p, "reserve_bytes")),
                    bytes_text(number_at(p, "free_bytes")), text_at(p, "device")});
  }
  print_table({"POOL", "STATE", "CAPACITY", "LIVE", "GARBAGE", "RESERVE", "FREE", "DEVICE"}, rows);
  for (const json::value& p : answer.at("pools").as_array()) {
    if (!text_at(p, "reason").empty()) std::cout << text_at(p, "name") << ": " << text_at(p, "reason") << "\n";
    if (p.at("time_unconfirmed").as_bool()) {
      std::cout << text_at(p, "name") << ": the host's clock is more than 24 h ahead of pool time; check it, then run: "
                << "holdfast pool confirm-time " << text_at(p, "name") << "\n";
    }
  }
  return {};
}

Result<void> watch_scrub(const CliContext& c, const std::string& pool) {
  AdminClient client = client_of(c);
  Progress progress("scrub of " + pool);
  HF_TRY(const json::value status, client.call("GET", "/v1/pools"));
  uint64_t total = 0;
  for (const json::value& p : status.at("pools").as_array()) {
    if (text_at(p, "name") == pool) total = number_at(p, "live_bytes") + number_at(p, "journal_live_bytes");
  }
  for (;;) {
    HF_TRY(const json::value s, client.call("GET", "/v1/pools/" + pool + "/scrub"));
    if (!s.at("running").as_bool()) {
      progress.show(1, 1);
      progress.finish();
      if (c.json()) {
        print_json(s);
        c.told = true;
      } else {
        std::cout << number_at(s, "versions_checked") << " versions, " << bytes_text(number_at(s, "bytes_checked"))
                  << " checked, " << number_at(s, "damaged") << " damaged\n";
        for (const json::value& d : s.at("damage").as_array()) std::cout << "damaged: " << text_of(d) << "\n";
      }
      if (!text_at(s, "stopped_by").empty()) return error(Code::kInternal, "the scrub ended early: " + text_at(s, "stopped_by"));
      if (number_at(s, "damaged") > 0) return error(Code::kCorrupt, "damage was found");
      return {};
    }
    progress.show(number_at(s, "bytes_checked"), total);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
  }
}

struct UserArguments {
  std::string access_key, secret_file, name, role;
  std::vector<std::string> scopes;
  bool enabled = true;
};

json::array scopes_json(const std::vector<std::string>& scopes) {
  json::array out;
  for (const auto& s : scopes) out.emplace_back(s);
  return out;
}

Result<void> create_user(const CliContext& c, const UserArguments& a) {
  json::object body{{"role", a.role.empty() ? "read-write" : a.role}, {"name", a.name}, {"scopes", scopes_json(a.scopes)}};
  if (!a.access_key.empty()) body["access_key"] = a.access_key;
  if (!a.secret_file.empty()) {
    std::ifstream file(a.secret_file);
    std::string secret;
    if (!std::getline(file, secret)) return error(Code::kNotFound, "cannot read " + a.secret_file);
    body["secret_key"] = secret;
  }
  HF_TRY(const json::value made, client_of(c).call("POST", "/v1/users", body));
  if (c.json()) {
    print_json(made);
  } else {
    std::cout << "access key: " << text_at(made, "access_key") << "\nsecret key: " << text_at(made, "secret_key")
              << "\nThe secret key is not shown again.\n";
  }
  return {};
}

Result<void> list_users(const CliContext& c) {
  HF_TRY(const json::value answer, client_of(c).call("GET", "/v1/users"));
  if (c.json()) {
    print_json(answer);
    return {};
  }
  std::vector<std::vector<std::string>> rows;
  for (const json::value& u : answer.at("users").as_array()) {
    std::string scopes;
    for (const json::value& s : u.at("scopes").as_array()) scopes += (scopes.empty() ? "" : ",") + text_of(s);
    rows.push_back({text_at(u, "access_key"), text_at(u, "role"), u.at("enabled").as_bool() ? "yes" : "no",
                    scopes.empty() ? "everything" : scopes, text_at(u, "name")});
  }
  print_table({"ACCESS KEY", "ROLE", "ENABLED", "LIMITED TO", "NAME"}, rows);
  return {};
}

std::string problem_of_cluster(const json::value& cluster) {
  const std::string which = "cluster \"" + text_at(cluster, "name") + "\": ";
  if (!text_at(cluster, "alarm").empty()) return which + text_at(cluster, "alarm");
  if (!cluster.at("serve").as_bool() || text_at(cluster, "role") == "serving") return "";
  return which + "its velero.io objects are not served: " + text_at(cluster, "role_reason");
}

std::string problem_of_tier(const std::string& policy, const json::value& tier) {
  const std::string which = "policy \"" + policy + "\", tier \"" + text_at(tier, "name") + "\": ";
  if (!text_at(tier, "problem").empty()) return which + "the last run is " + text_at(tier, "problem");
  if (!tier.at("rpo_violated").as_bool()) return "";
  const auto length = [&](const char* key) { return length_text(static_cast<int64_t>(number_at(tier, key)) * 1000); };
  return which + "the newest good restore point is " + length("rpo_seconds") + " old, or there is none; the target is " + length("rpo_target_seconds");
}

std::string problem_of_schedule(const json::value& schedule) {
  const std::string which = "cluster \"" + text_at(schedule, "cluster") + "\", Schedule \"" + text_at(schedule, "name") + "\": ";
  if (text_at(schedule, "phase") == "FailedValidation") return which + text_at(schedule, "reason");
  const std::string last = text_at(schedule, "last_phase");
  return last == "Failed" || last == "PartiallyFailed" || last == "FailedValidation" ? which + "the last backup is " + last : "";
}

std::string problem_of_verification(const json::value& order) {
  const std::string which = "policy \"" + text_at(order, "policy") + "\", tier \"" + text_at(order, "tier") + "\": ";
  const std::string state = text_at(order, "last_state"), level = text_at(order, "level");
  if (order.at("overdue").as_bool()) return which + "no verification at level " + level + " has succeeded within " + length_text(static_cast<int64_t>(number_at(order, "within_seconds")) * 1000);
  if (state.empty() || state == "whole" || state == "verified") return "";
  return which + "the last verification at level " + level + " is " + state + ": " + text_at(order, "last_reason");
}

// Everything that is not well, a line each.
std::vector<std::string> problems_of(const json::value& status) {
  std::vector<std::string> all;
  if (!status.at("ready").as_bool()) all.push_back("not ready: a pool is not online");
  for (const char* alarms : {"recovery_alarms", "site_alarms", "webhook_alarms"}) {
    for (const json::value& alarm : status.at(alarms).as_array()) all.push_back(text_of(alarm));
  }
  for (const json::value& cluster : status.at("clusters").as_array()) all.push_back(problem_of_cluster(cluster));
  for (const json::value& policy : status.at("policies").as_array()) {
    for (const json::value& tier : policy.at("tiers").as_array()) all.push_back(problem_of_tier(text_at(policy, "name"), tier));
  }
  for (const json::value& schedule : status.at("schedules").as_array()) all.push_back(problem_of_schedule(schedule));
  for (const json::value& order : status.at("verifications").as_array()) all.push_back(problem_of_verification(order));
  std::erase(all, "");
  return all;
}

}  // namespace

void add_status_command(CLI::App& app, CliContext& c) {
  auto* status = app.add_subcommand("status", "Is everything well? Exit code 1 when not");
  status->callback([&c] {
    c.run = [&c]() -> Result<void> {
      HF_TRY(const json::value answer, client_of(c).call("GET", "/v1/status"));
      HF_CHECK(print_pools(c, answer));
      std::string all;
      for (const std::string& problem : problems_of(answer)) all += (all.empty() ? "" : "\nholdfast: ") + problem;
      if (!all.empty()) return error(Code::kUnavailable, all);
      return {};
    };
  });
}

void add_user_commands(CLI::App& app, CliContext& c) {
  auto* user = app.add_subcommand("user", "Access keys and their roles");
  user->require_subcommand(1);
  auto a = std::make_shared<UserArguments>();
  auto* list = user->add_subcommand("list", "List access keys");
  list->callback([&c] { c.run = [&c] { return list_users(c); }; });
  auto* create = user->add_subcommand("create", "Make an access key; prints its secret once");
  create->add_option("--access-key", a->access_key, "access key; made up when not given");
  create->add_option("--secret-file", a->secret_file, "file with the secret key; made up when not given");
  create->add_option("--name", a->name, "for people");
  create->add_option("--role", a->role, "admin, read-write, read-only or append-only")->capture_default_str();
  create->add_option("--scope", a->scopes, "bucket or bucket/prefix; may be repeated");
  create->callback([&c, a] { c.run = [&c, a] { return create_user(c, *a); }; });
  auto* set = user->add_subcommand("set", "Change an access key's role, scopes or state");
  set->add_option("ACCESS_KEY", a->access_key)->required();
  auto* role = set->add_option("--role", a->role);
  auto* scopes = set->add_option("--scope", a->scopes, "replaces all scopes; may be repeated");
  auto* enabled = set->add_option("--enabled", a->enabled, "true or false");
  set->callback([&c, a, role, scopes, enabled] {
    c.run = [&c, a, role, scopes, enabled] {
      json::object body;
      if (!role->empty()) body["role"] = a->role;
      if (!scopes->empty()) body["scopes"] = scopes_json(a->scopes);
      if (!enabled->empty()) body["enabled"] = a->enabled;
      return call_quietly(c, "PATCH", "/v1/users/" + a->access_key, body, "changed");
    };
  });
  auto* remove = user->add_subcommand("remove", "Remove an access key");
  remove->add_option("ACCESS_KEY", a->access_key)->required();
  remove->callback([&c, a] { c.run = [&c, a] { return call_quietly(c, "DELETE", "/v1/users/" + a->access_key, nullptr, "removed"); }; });
}

void add_bucket_commands(CLI::App& app, CliContext& c) {
  struct Arguments {
    std::string name, pool;
    bool versioning = false, lock = false;
  };
  auto* bucket = app.add_subcommand("bucket", "Buckets");
  bucket->require_subcommand(1);
  auto a = std::make_shared<Arguments>();
  auto* list = bucket->add_subcommand("list", "List buckets");
  list->callback([&c] {
    c.run = [&c]() -> Result<void> {
      HF_TRY(const json::value answer, client_of(c).call("GET", "/v1/buckets"));
      if (c.json()) {
        print_json(answer);
        return {};
      }
      std::vector<std::vector<std::string>> rows;
      for (const json::value& b : answer.at("buckets").as_array()) {
        rows.push_back({text_at(b, "name"), text_at(b, "versioning"), b.at("object_lock").as_bool() ? "yes" : "no", text_at(b, "owner")});
      }
      print_table({"BUCKET", "VERSIONING", "OBJECT LOCK", "OWNER"}, rows);
      return {};
    };
  });
  auto* show = bucket->add_subcommand("show", "A bucket and what it holds");
  show->add_option("NAME", a->name)->required();
  show->callback([&c, a] {
    c.run = [&c, a]() -> Result<void> {
      HF_TRY(const json::value b, client_of(c).call("GET", "/v1/buckets/" + a->name));
      if (c.json()) {
        print_json(b);
        return {};
      }
      const json::value& u = b.at("usage");
      std::cout << text_at(b, "name") << ": " << number_at(u, "objects") << " objects (" << bytes_text(number_at(u, "object_bytes"))
                << "), " << number_at(u, "versions") << " versions (" << bytes_text(number_at(u, "version_bytes")) << "), "
                << number_at(u, "uploads") << " uploads in progress (" << bytes_text(number_at(u, "upload_bytes")) << ")\n";
      return {};
    };
  });
  auto* create = bucket->add_subcommand("create", "Make a bucket");
  create->add_option("NAME", a->name)->required();
  create->add_option("--pool", a->pool, "the pool that it lives in; default: the first");
  create->add_flag("--versioning", a->versioning, "keep all versions");
  create->add_flag("--object-lock", a->lock, "allow object lock (switches versioning on)");
  create->callback([&c, a] {
    c.run = [&c, a] {
      const json::object body{{"name", a->name}, {"pool", a->pool}, {"object_lock", a->lock}, {"versioning", a->versioning ? "enabled" : "off"}};
      return call_quietly(c, "POST", "/v1/buckets", body, "created");
    };
  });
  auto* remove = bucket->add_subcommand("remove", "Remove an empty bucket");
  remove->add_option("NAME", a->name)->required();
  remove->callback([&c, a] { c.run = [&c, a] { return call_quietly(c, "DELETE", "/v1/buckets/" + a->name, nullptr, "removed"); }; });
}

void add_pool_commands(CLI::App& pool, CliContext& c) {
  auto name = std::make_shared<std::string>("main");
  auto* status = pool.add_subcommand("status", "State and space of every pool");
  status->callback([&c] {
    c.run = [&c]() -> Result<void> {
      HF_TRY(const json::value answer, client_of(c).call("GET", "/v1/pools"));
      return print_pools(c, answer);
    };
  });
  auto* scrub = pool.add_subcommand("scrub", "Read and check everything that is stored; waits for the result");
  scrub->add_option("POOL", *name)->capture_default_str();
  scrub->callback([&c, name] {
    c.run = [&c, name]() -> Result<void> {
      HF_CHECK(client_of(c).call("POST", "/v1/pools/" + *name + "/scrub"));
      return watch_scrub(c, *name);
    };
  });
  auto* check = pool.add_subcommand("check", "The result of the last scrub, or the progress of the running one");
  check->add_option("POOL", *name)->capture_default_str();
  check->callback([&c, name] { c.run = [&c, name] { return watch_scrub(c, *name); }; });
  auto* snapshot = pool.add_subcommand("snapshot", "Write an index snapshot now, for a fast takeover");
  snapshot->add_option("POOL", *name)->capture_default_str();
  snapshot->callback([&c, name] {
    c.run = [&c, name] { return call_quietly(c, "POST", "/v1/pools/" + *name + "/snapshot", nullptr, "snapshot written"); };
  });
  auto* time = pool.add_subcommand("confirm-time", "Let pool time, by which locks end, follow the host's clock again");
  time->add_option("POOL", *name)->capture_default_str();
  time->callback([&c, name] {
    c.run = [&c, name] { return call_quietly(c, "POST", "/v1/pools/" + *name + "/confirm-time", nullptr, "confirmed"); };
  });
}

}  // namespace holdfast
