#include "daemon/app/recover_command.h"

#include <boost/json.hpp>
#include <iostream>

#include "daemon/admin/recovery_api.h"
#include "daemon/app/init_command.h"
#include "daemon/app/recover.h"
#include "daemon/cli/calls.h"
#include "daemon/cli/output.h"
#include "storage/base/log.h"

namespace holdfast {

namespace json = boost::json;

namespace {

struct RecoverArguments {
  InitOptions init;
  RecoverRequest request;
  std::string secret_file, ca_file, key_file, site;
  bool dry_run = false;
};

std::string first_line(const std::string& text) { return text.substr(0, text.find_first_of("\r\n")); }

Result<void> read_files(RecoverArguments& a) {
  HF_TRY(const std::string key, read_text_file(a.key_file == "-" ? "/dev/stdin" : a.key_file));
  a.request.recovery_key = first_line(key);
  if (!a.site.empty()) return {};
  HF_TRY(const std::string secret, read_text_file(a.secret_file));
  a.request.site.secret = first_line(secret);
  if (!a.ca_file.empty()) {
    HF_TRY(a.request.site.ca_pem, read_text_file(a.ca_file));
  }
  return {};
}

Result<void> key_is_given(const RecoverArguments& a) {
  if (a.key_file.empty()) return error(Code::kInvalidArgument, "give --recovery-key-file FILE: the key that `holdfast init` printed");
  return {};
}

Result<void> check_options(const RecoverArguments& a) {
  if (!a.site.empty()) return a.dry_run ? key_is_given(a) : error(Code::kInvalidArgument, "--site names a site of a running appliance, for --dry-run; a blank host needs --from-site URL");
  if (a.request.site.url.empty() || a.request.site.bucket.empty() || a.request.site.access_key.empty() || a.secret_file.empty()) {
    return error(Code::kInvalidArgument, "give --from-site URL, --bucket, --access-key and --secret-file");
  }
  return key_is_given(a);
}

void print_names(const char* what, const json::value& names) {
  std::cout << what;
  for (const json::value& n : names.as_array()) std::cout << " " << text_of(n);
  std::cout << (names.as_array().empty() ? " none\n" : "\n");
}

void print_report(const json::value& r) {
  std::cout << "appliance " << text_at(r, "appliance") << ", generation " << number_at(r, "generation") << ", written " << text_at(r, "written") << " on host " << text_at(r, "host") << "\n";
  print_names("clusters:", r.at("clusters"));
  print_names("policies:", r.at("policies"));
  print_names("sites:   ", r.at("sites"));
  print_names("buckets: ", r.at("buckets"));
  print_names("users:   ", r.at("users"));
}

// From the appliance itself: does the bundle at a site open, and does it name everything?
Result<void> check_by_daemon(const CliContext& c, const RecoverArguments& a) {
  HF_TRY(const json::value report, client_of(c).call("POST", "/v1/recovery/check", json::object{{"site", a.site}, {"recovery_key", a.request.recovery_key}}));
  c.told = c.json();
  if (c.json()) print_json(report);
  else print_report(report);
  std::string lacks;
  for (const json::value& l : report.at("lacks").as_array()) lacks += (lacks.empty() ? "" : "; ") + text_of(l);
  if (!lacks.empty()) return error(Code::kFailedPrecondition, "the bundle opens, but it is behind: " + lacks + ". The next one is sent within a minute of a change");
  if (!c.json()) std::cout << "the bundle opens with this key and names everything\n";
  return {};
}

Result<void> recover(const CliContext& c, RecoverArguments& a) {
  HF_CHECK(check_options(a));
  HF_CHECK(read_files(a));
  if (!a.site.empty()) return check_by_daemon(c, a);
  start_log("warn");
  InitRequest init;
  if (!a.dry_run) {
    HF_TRY(init, checked(a.init));
  }
  HF_TRY(const FoundBundle bundle, find_bundle(a.request));
  for (const std::string& d : bundle.damaged) std::cerr << "holdfast: passed over: " << d << "\n";
  json::object report = to_json(report_of(bundle.opened));
  if (!c.json()) print_report(report);
  if (a.dry_run) {
    if (c.json()) print_json(report);
    else std::cout << "the bundle opens with this key; nothing was changed\n";
    return {};
  }
  HF_TRY(const InitResult made, recover_appliance(init, a.request, bundle));
  if (c.json()) {
    report["config_file"] = made.config_file;
    report["credentials_file"] = made.credentials_file;
    print_json(report);
    return {};
  }
  std::cout << "\nconfiguration: " << made.config_file << "\ncredentials:   " << made.credentials_file << " (access key " << made.access_key << ")\n"
            << "\nThe appliance is on standby: no schedule runs until `holdfast recover activate`. Its recovery key is the same as before.\n"
               "Start holdfastd; `holdfast copies list --site SITE` shows the restore points, `holdfast copies fetch` brings one here.\n";
  return {};
}

struct ActivateArguments {
  std::vector<std::string> unfenced;
};

Result<void> print_status(const CliContext& c, const json::value& s) {
  if (c.json()) {
    print_json(s);
    return {};
  }
  std::cout << text_at(s, "appliance") << ": " << text_at(s, "state") << ", generation " << number_at(s, "generation") << (text_at(s, "reason").empty() ? "" : "; " + text_at(s, "reason")) << "\n";
  std::vector<std::vector<std::string>> rows;
  for (const json::value& site : s.at("sites").as_array()) {
    const uint64_t number = number_at(site, "bundle");
    rows.push_back({text_at(site, "site"), number == 0 ? "-" : std::to_string(number), dash(text_at(site, "bundle_sent")), dash(text_at(site, "problem"))});
  }
  if (!rows.empty()) print_table({"SITE", "BUNDLE", "SENT", "PROBLEM"}, rows);
  return {};
}

}  // namespace

void add_recover_command(CLI::App& app, CliContext& c) {
  auto a = std::make_shared<RecoverArguments>();
  auto* command = app.add_subcommand("recover", "Bring an appliance back on a blank host, from what a site holds");
  command->require_subcommand(0, 1);
  command->add_option("--from-site", a->request.site.url, "URL of the site's S3 endpoint");
  command->add_option("--bucket", a->request.site.bucket, "its bucket");
  command->add_option("--region", a->request.site.region)->capture_default_str();
  command->add_option("--access-key", a->request.site.access_key, "a key that reads that bucket");
  command->add_option("--secret-file", a->secret_file, "file with its secret key");
  command->add_option("--ca-file", a->ca_file, "PEM file with the authority that vouches for the site");
  command->add_option("--recovery-key-file", a->key_file, "file with the recovery key that `holdfast init` printed; -: standard input");
  command->add_option("--appliance", a->request.appliance, "which one, where the key opens several");
  command->add_flag("--dry-run", a->dry_run, "only say what the bundle holds, and that it opens");
  command->add_option("--site", a->site, "with --dry-run: ask the running appliance about this site of its own");
  add_init_options(*command, a->init);
  auto* status = command->add_subcommand("status", "Does this appliance act, and have its settings reached every site?");
  status->callback([&c] {
    c.run = [&c]() -> Result<void> {
      HF_TRY(const json::value answer, client_of(c).call("GET", "/v1/recovery"));
      return print_status(c, answer);
    };
  });
  auto unfenced = std::make_shared<ActivateArguments>();
  auto* activate = command->add_subcommand("activate", "From now on this appliance acts, and no other one of its identity");
  activate->add_option("--accept-unfenced", unfenced->unfenced, "a site, by name, where the other one cannot be held off for sure: go on all the same");
  activate->callback([&c, unfenced] {
    c.run = [&c, unfenced]() -> Result<void> {
      HF_TRY(const json::value answer, client_of(c).call("POST", "/v1/recovery/activate", json::object{{"unfenced_sites", json::array(unfenced->unfenced.begin(), unfenced->unfenced.end())}}));
      return print_status(c, answer);
    };
  });
  command->callback([&c, a, command] {
    if (command->get_subcommands().empty()) c.run = [&c, a] { return recover(c, *a); };
  });
}

}  // namespace holdfast
