#include <boost/json.hpp>
#include <iostream>
#include <thread>

#include "daemon/cli/calls.h"
#include "daemon/cli/output.h"
#include "daemon/cli/runs.h"

namespace holdfast {

namespace json = boost::json;

namespace {

struct SiteArguments {
  std::string name, url, bucket, region = "us-east-1", access_key, secret_file, ca_file;
  std::string site, cluster, backup, bandwidth = "none";
  bool wait = false, without_volumes = false, remove_layout = false, hidden = false;
};

const char* yes_no(const json::value& findings, const char* key) { return findings.at(key).as_bool() ? "yes" : "no"; }

Result<void> print_findings(const CliContext& c, const std::string& name, const json::value& f) {
  c.told = c.json();
  if (c.json()) print_json(f);
  if (!f.at("usable").as_bool()) return error(Code::kUnavailable, "site \"" + name + "\": " + text_at(f, "problem"));
  if (c.json()) return {};
  const std::string versioning = text_at(f, "versioning");
  std::cout << name << ": usable; conditional writes: " << yes_no(f, "conditional_writes") << ", tags: " << yes_no(f, "tags") << ", versioning: " << (versioning.empty() ? "no" : versioning)
            << ", object lock: " << yes_no(f, "object_lock") << ", its clock is ahead by " << f.at("clock_ahead_ms").to_number<int64_t>() / 1000 << " s\n";
  return {};
}

Result<uint64_t> bandwidth_of(const SiteArguments& a) {
  uint64_t bytes = 0;
  if (a.bandwidth == "none" || parse_bytes(a.bandwidth, bytes)) return bytes;
  return error(Code::kInvalidArgument, "--bandwidth: \"" + a.bandwidth + "\" is neither a number of bytes, such as 20M, nor \"none\"");
}

Result<void> add(const CliContext& c, const SiteArguments& a) {
  HF_TRY(const std::string secret_text, read_text_file(a.secret_file == "-" ? "/dev/stdin" : a.secret_file));
  json::object body{{"name", a.name}, {"url", a.url}, {"bucket", a.bucket}, {"region", a.region}, {"access_key", a.access_key}, {"secret_key", secret_text.substr(0, secret_text.find_first_of("\r\n"))}};
  HF_TRY(body["bytes_per_second"], bandwidth_of(a));
  if (!a.ca_file.empty()) {
    HF_TRY(body["ca_pem"], read_text_file(a.ca_file));
  }
  HF_TRY(const json::value findings, client_of(c).call("POST", "/v1/sites", body));
  if (!c.json()) std::cout << "site " << a.name << " added\n";
  return print_findings(c, a.name, findings);
}

Result<void> set(const CliContext& c, const SiteArguments& a) {
  HF_TRY(const uint64_t bandwidth, bandwidth_of(a));
  return call_quietly(c, "PATCH", "/v1/sites/" + a.name, json::object{{"bytes_per_second", bandwidth}}, "changed");
}

Result<void> list(const CliContext& c) {
  HF_TRY(const json::value answer, client_of(c).call("GET", "/v1/sites"));
  if (c.json()) {
    print_json(answer);
    return {};
  }
  std::vector<std::vector<std::string>> rows;
  for (const json::value& s : answer.at("sites").as_array()) rows.push_back({text_at(s, "name"), text_at(s, "url"), text_at(s, "bucket"), text_at(s, "region"), text_at(s, "access_key"), number_at(s, "bytes_per_second") == 0 ? "-" : bytes_text(number_at(s, "bytes_per_second")) + "/s"});
  print_table({"SITE", "URL", "BUCKET", "REGION", "ACCESS KEY", "BANDWIDTH"}, rows);
  return {};
}

Result<void> check(const CliContext& c, const std::string& name) {
  HF_TRY(const json::value findings, client_of(c).call("GET", "/v1/sites/" + name + "/check"));
  return print_findings(c, name, findings);
}

Result<void> list_hidden(const CliContext& c, const SiteArguments& a) {
  HF_TRY(const json::value answer, client_of(c).call("GET", "/v1/sites/" + a.site + "/hidden"));
  if (c.json()) {
    print_json(answer);
    return {};
  }
  std::vector<std::vector<std::string>> rows;
  for (const json::value& u : answer.at("units").as_array()) rows.push_back({text_at(u, "cluster"), text_at(u, "backup"), text_at(u, "started"), text_at(u, "locked_until"), text_at(u, "source")});
  print_table({"CLUSTER", "BACKUP", "STARTED", "LOCKED UNTIL", "COPIED BY"}, rows);
  return {};
}

Result<void> list_copies(const CliContext& c, const SiteArguments& a) {
  if (a.hidden) return list_hidden(c, a);
  HF_TRY(const json::value answer, client_of(c).call("GET", "/v1/sites/" + a.site + "/copies"));
  if (c.json()) {
    print_json(answer);
    return {};
  }
  std::vector<std::vector<std::string>> rows;
  for (const json::value& u : answer.at("units").as_array()) {
    rows.push_back({text_at(u, "cluster"), text_at(u, "backup"), "there", text_at(u, "started"), text_at(u, "copied"), dash(text_at(u, "expires")), dash(text_at(u, "locked_until")), text_at(u, "source")});
  }
  for (const json::value& u : answer.at("copies").as_array()) {
    const std::string done = std::to_string(number_at(u, "objects_done")) + "/" + std::to_string(number_at(u, "objects"));
    rows.push_back({text_at(u, "cluster"), text_at(u, "backup"), text_at(u, "state") + (text_at(u, "state") == "copying" ? " " + done : ""), "-", "-", "-", "-", "-"});
  }
  print_table({"CLUSTER", "BACKUP", "STATE", "STARTED", "COPIED", "EXPIRES", "LOCKED UNTIL", "COPIED BY"}, rows);
  for (const json::value& l : answer.at("layouts").as_array()) {
    std::cout << text_at(l, "backup") << ": laid out under " << text_at(l, "prefix") << (l.at("whole").as_bool() ? "" : ", not wholly") << "\n";
  }
  for (const json::value& u : answer.at("copies").as_array()) {
    if (!text_at(u, "reason").empty()) std::cout << text_at(u, "backup") << ": " << text_at(u, "reason") << "\n";
  }
  return {};
}

Result<void> copies_status(const CliContext& c) {
  HF_TRY(const json::value answer, client_of(c).call("GET", "/v1/sites/orders"));
  if (c.json()) {
    print_json(answer);
    return {};
  }
  std::vector<std::vector<std::string>> rows;
  for (const json::value& o : answer.at("orders").as_array()) {
    const bool known = o.at("looked_at").as_bool();
    rows.push_back({text_at(o, "policy"), text_at(o, "tier"), text_at(o, "cluster"), text_at(o, "site"), known ? text_at(o, "there") : "?", known ? text_at(o, "due") : "?", dash(text_at(o, "newest")), dash(text_at(o, "problem"))});
  }
  print_table({"POLICY", "TIER", "CLUSTER", "SITE", "THERE", "DUE", "NEWEST", "PROBLEM"}, rows);
  return {};
}

const json::value* found(const json::value& answer, const char* list, const std::string& cluster, const std::string& backup) {
  for (const json::value& u : answer.at(list).as_array()) {
    if (text_at(u, "cluster") == cluster && text_at(u, "backup") == backup) return &u;
  }
  return nullptr;
}

Result<void> await_copy(const CliContext& c, AdminClient& client, const SiteArguments& a, const std::string& cluster) {
  for (int turn = 0;; ++turn) {
    HF_TRY(const json::value answer, client.call("GET", "/v1/sites/" + a.site + "/transfers"));
    const json::value* running = found(answer, "copies", cluster, a.backup);
    if (running != nullptr && text_at(*running, "state") == "failed") return error(Code::kFailedPrecondition, "backup \"" + a.backup + "\" is not copied to site \"" + a.site + "\": " + text_at(*running, "reason"));
    if (running == nullptr) {
      HF_TRY(const json::value there, client.call("GET", "/v1/sites/" + a.site + "/copies"));
      const json::value* unit = found(there, "units", cluster, a.backup);
      if (unit == nullptr) return error(Code::kUnavailable, "nothing is known of the copy any more");
      if (c.json()) print_json(*unit);
      else std::cout << a.backup << " is at site " << a.site << "\n";
      return {};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(turn < 100 ? 50 : 1000));
  }
}

Result<void> copy(const CliContext& c, const SiteArguments& a) {
  HF_TRY(const std::string cluster, cluster_of(c, a.cluster));
  AdminClient client = client_of(c);
  HF_TRY(const json::value begun, client.call("POST", "/v1/sites/" + a.site + "/copies", json::object{{"cluster", cluster}, {"backup", a.backup}}));
  if (a.wait) return await_copy(c, client, a, cluster);
  if (c.json()) print_json(begun);
  else std::cout << a.backup << " stands in line for site " << a.site << "; `holdfast copies list --site " << a.site << "` shows it\n";
  return {};
}

// A copy that something was done with, once that has ended.
Result<json::value> await_end(AdminClient& client, const SiteArguments& a, const std::string& cluster) {
  for (int turn = 0;; ++turn) {
    HF_TRY(const json::value answer, client.call("GET", "/v1/sites/" + a.site + "/transfers"));
    const json::value* copy = found(answer, "copies", cluster, a.backup);
    if (copy == nullptr) return error(Code::kUnavailable, "nothing is known of it any more");
    const std::string state = text_at(*copy, "state");
    if (!state.ends_with("ing") && state != "laying out") return *copy;
    std::this_thread::sleep_for(std::chrono::milliseconds(turn < 100 ? 50 : 1000));
  }
}

Result<void> verify(const CliContext& c, const SiteArguments& a) {
  HF_TRY(const std::string cluster, cluster_of(c, a.cluster));
  AdminClient client = client_of(c);
  HF_CHECK(client.call("POST", "/v1/sites/" + a.site + "/copies/" + cluster + "/" + a.backup + "/verify"));
  HF_TRY(const json::value checked, await_end(client, a, cluster));
  const std::string state = text_at(checked, "state");
  c.told = c.json();
  if (c.json()) print_json(checked);
  else std::cout << a.backup << " at site " << a.site << ": " << state << ", " << number_at(checked, "objects_done") << " objects, " << bytes_text(number_at(checked, "bytes_done")) << " read\n";
  if (state == "whole") return {};
  for (const json::value& d : checked.at("damage").as_array()) {
    if (!c.json()) std::cout << text_of(d) << "\n";
  }
  return error(state == "damaged" ? Code::kCorrupt : Code::kFailedPrecondition, "the copy of \"" + a.backup + "\" at site \"" + a.site + "\" is " + state + ": " + (state == "damaged" ? "remove it there and copy it again or, where it is locked, `holdfast copies unhide` it" : text_at(checked, "reason")));
}

Result<void> fetch(const CliContext& c, const SiteArguments& a) {
  HF_TRY(const std::string cluster, cluster_of(c, a.cluster));
  AdminClient client = client_of(c);
  HF_CHECK(client.call("POST", "/v1/sites/" + a.site + "/copies/" + cluster + "/" + a.backup + "/fetch", json::object{{"volumes", !a.without_volumes}}));
  HF_TRY(const json::value fetched, await_end(client, a, cluster));
  c.told = c.json();
  if (c.json()) print_json(fetched);
  if (text_at(fetched, "state") != "fetched") return error(Code::kFailedPrecondition, "\"" + a.backup + "\" is not brought back from site \"" + a.site + "\": " + text_at(fetched, "reason"));
  if (!c.json()) std::cout << a.backup << " is here again: " << number_at(fetched, "objects") << " objects, " << bytes_text(number_at(fetched, "bytes")) << "; it stays until it is deleted\n";
  return {};
}

Result<void> lay_out(const CliContext& c, const SiteArguments& a) {
  HF_TRY(const std::string cluster, cluster_of(c, a.cluster));
  AdminClient client = client_of(c);
  const std::string path = "/v1/sites/" + a.site + "/copies/" + cluster + "/" + a.backup + "/layout";
  HF_CHECK(client.call(a.remove_layout ? "DELETE" : "POST", path));
  HF_TRY(const json::value done, await_end(client, a, cluster));
  c.told = c.json();
  if (c.json()) print_json(done);
  if (text_at(done, "state") == "failed") return error(Code::kFailedPrecondition, "\"" + a.backup + "\" at site \"" + a.site + "\": " + text_at(done, "reason"));
  if (c.json()) return {};
  if (a.remove_layout) std::cout << "laid-out/" << cluster << "/" << a.backup << " is removed\n";
  else std::cout << a.backup << " is laid out: give Velero a location with accessMode ReadOnly and the prefix laid-out/" << cluster << "/" << a.backup << "\n";
  return {};
}

Result<void> unhide(const CliContext& c, const SiteArguments& a) {
  HF_TRY(const std::string cluster, cluster_of(c, a.cluster));
  AdminClient client = client_of(c);
  HF_CHECK(client.call("POST", "/v1/sites/" + a.site + "/copies/" + cluster + "/" + a.backup + "/unhide"));
  HF_TRY(const json::value done, await_end(client, a, cluster));
  c.told = c.json();
  if (c.json()) print_json(done);
  if (text_at(done, "state") != "unhidden") return error(Code::kFailedPrecondition, "\"" + a.backup + "\" at site \"" + a.site + "\": " + text_at(done, "reason"));
  if (!c.json()) std::cout << a.backup << " at site " << a.site << " is as it was copied: " << number_at(done, "objects") << " objects\n";
  return {};
}

Result<void> remove_copy(const CliContext& c, const SiteArguments& a) {
  HF_TRY(const std::string cluster, cluster_of(c, a.cluster));
  return call_quietly(c, "DELETE", "/v1/sites/" + a.site + "/copies/" + cluster + "/" + a.backup, nullptr, "removed");
}

// Which copy a command is about.
void name_copy(CLI::App& command, const std::shared_ptr<SiteArguments>& a) {
  command.add_option("BACKUP", a->backup)->required();
  command.add_option("--site", a->site)->required();
  command.add_option("--cluster", a->cluster, "whose; needed where there are several");
}

void add_copy_commands(CLI::App& app, CliContext& c, const std::shared_ptr<SiteArguments>& a) {
  auto* copy_group = app.add_subcommand("copy", "Copying restore points to other sites");
  copy_group->require_subcommand(1);
  auto* run = copy_group->add_subcommand("run", "Copy a restore point to a site now");
  run->add_option("BACKUP", a->backup)->required();
  run->add_option("--site", a->site, "where to")->required();
  run->add_option("--cluster", a->cluster, "whose; needed where there are several");
  run->add_flag("--wait", a->wait, "wait for the end; exit code 1 unless it is there");
  run->callback([&c, a] { c.run = [&c, a] { return copy(c, *a); }; });
  auto* copies = app.add_subcommand("copies", "What other sites hold");
  copies->require_subcommand(1);
  auto* list_command = copies->add_subcommand("list", "What a site holds, read from the site alone; and what is being copied there");
  list_command->add_option("--site", a->site)->required();
  list_command->add_flag("--hidden", a->hidden, "locked copies that somebody removed as far as he could; `copies unhide` brings them back");
  list_command->callback([&c, a] { c.run = [&c, a] { return list_copies(c, *a); }; });
  copies->add_subcommand("status", "What policies want copied: how much of it is there, how much is still due")->callback([&c] { c.run = [&c] { return copies_status(c); }; });
  auto* verify_command = copies->add_subcommand("verify", "Read every byte of a copy and compare it with what was copied; exit code 1 unless it is whole");
  name_copy(*verify_command, a);
  verify_command->callback([&c, a] { c.run = [&c, a] { return verify(c, *a); }; });
  auto* fetch_command = copies->add_subcommand("fetch", "Bring a copy back from a site, and wait for it");
  name_copy(*fetch_command, a);
  fetch_command->add_flag("--without-volumes", a->without_volumes, "leave the data of its volumes there");
  fetch_command->callback([&c, a] { c.run = [&c, a] { return fetch(c, *a); }; });
  auto* layout = copies->add_subcommand("lay-out", "Lay a copy out in a prefix of its own at the site, with the data of its volumes, for Velero to restore from; needed where it is not the newest");
  name_copy(*layout, a);
  layout->add_flag("--remove", a->remove_layout, "remove that prefix again");
  layout->callback([&c, a] { c.run = [&c, a] { return lay_out(c, *a); }; });
  auto* unhide_command = copies->add_subcommand("unhide", "Bring a locked copy to light again: remove what stands above its locked versions, delete markers and other bytes");
  name_copy(*unhide_command, a);
  unhide_command->callback([&c, a] { c.run = [&c, a] { return unhide(c, *a); }; });
  auto* remove = copies->add_subcommand("remove", "Remove a copy from a site");
  name_copy(*remove, a);
  remove->callback([&c, a] { c.run = [&c, a] { return remove_copy(c, *a); }; });
}

}  // namespace

void add_site_commands(CLI::App& app, CliContext& c) {
  auto* site = app.add_subcommand("site", "Other sites: S3 buckets that keep copies of restore points");
  site->require_subcommand(1);
  auto a = std::make_shared<SiteArguments>();
  auto* add_command = site->add_subcommand("add", "Register a site: checks what it can do by doing it under holdfast/probe/");
  add_command->add_option("NAME", a->name, "name of the site here")->required();
  add_command->add_option("--endpoint", a->url, "https://HOST:PORT of its S3 endpoint")->required();
  add_command->add_option("--bucket", a->bucket, "a bucket that is there")->required();
  add_command->add_option("--region", a->region)->capture_default_str();
  add_command->add_option("--access-key", a->access_key)->required();
  add_command->add_option("--secret-file", a->secret_file, "file whose first line is the secret key; - is standard input")->required();
  add_command->add_option("--ca-file", a->ca_file, "PEM of the authority that vouches for it; default: those of the system");
  add_command->add_option("--bandwidth", a->bandwidth, "bytes a second to it and from it together, such as 20M; default: none, as fast as it goes");
  add_command->callback([&c, a] { c.run = [&c, a] { return add(c, *a); }; });
  site->add_subcommand("list", "List sites")->callback([&c] { c.run = [&c] { return list(c); }; });
  auto* set_command = site->add_subcommand("set", "Change how fast copies go to a site, those that run too");
  set_command->add_option("NAME", a->name)->required();
  set_command->add_option("--bandwidth", a->bandwidth, "bytes a second, such as 20M; none: as fast as it goes")->required();
  set_command->callback([&c, a] { c.run = [&c, a] { return set(c, *a); }; });
  auto* check_command = site->add_subcommand("check", "Can it be used, and what can it do? Exit code 1 when not");
  check_command->add_option("NAME", a->name)->required();
  check_command->callback([&c, a] { c.run = [&c, a] { return check(c, a->name); }; });
  auto* remove = site->add_subcommand("remove", "Forget a site; what it holds stays there");
  remove->add_option("NAME", a->name)->required();
  remove->callback([&c, a] { c.run = [&c, a] { return call_quietly(c, "DELETE", "/v1/sites/" + a->name, nullptr, "removed"); }; });
  add_copy_commands(app, c, a);
}

}  // namespace holdfast
