#include <fcntl.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstring>
#include <filesystem>
#include <iostream>

#include "daemon/cli/calls.h"
#include "daemon/cli/output.h"
#include "daemon/cli/runs.h"
#include "storage/base/clock.h"
#include "storage/base/times.h"

namespace holdfast {

namespace json = boost::json;

namespace {

struct BackupArguments {
  std::string cluster, name, spec_file, selector, ttl, include_cluster_resources, output;
  std::vector<std::string> included_namespaces, excluded_namespaces, included_resources, excluded_resources;
  bool wait = false, force = false, by_velero = false;
};

Result<json::object> spec_of(const BackupArguments& a) {
  json::object spec;
  HF_TRY(spec, spec_file(a.spec_file));
  put_list(spec, "includedNamespaces", a.included_namespaces);
  put_list(spec, "excludedNamespaces", a.excluded_namespaces);
  put_list(spec, "includedResources", a.included_resources);
  put_list(spec, "excludedResources", a.excluded_resources);
  if (!a.selector.empty()) {
    HF_TRY(json::object labels, labels_of(a.selector));
    spec["labelSelector"] = json::object{{"matchLabels", std::move(labels)}};
  }
  if (!a.ttl.empty()) spec["ttl"] = a.ttl;
  if (!a.include_cluster_resources.empty()) spec["includeClusterResources"] = a.include_cluster_resources == "true";
  return spec;
}

Result<void> create(const CliContext& c, const BackupArguments& a) {
  HF_TRY(const std::string cluster, cluster_of(c, a.cluster));
  HF_TRY(json::object spec, spec_of(a));
  const std::string path = "/v1/clusters/" + cluster + "/backups";
  AdminClient client = client_of(c);
  HF_CHECK(client.call("POST", path, json::object{{"name", a.name}, {"spec", std::move(spec)}, {"by_velero", a.by_velero}}));
  if (!a.wait) {
    if (!c.json()) std::cout << "backup " << a.name << " of cluster " << cluster << " has been asked for; `holdfast backup list` shows it\n";
    return {};
  }
  HF_TRY(const json::value b, await_end(client, path + "/" + a.name));
  return print_ended(c, "backup", b);
}

struct BegunBackup {
  std::string cluster, name, problem;  // why it did not begin, or is not whole
};

// Everything of one cluster, before all that waits there. Where Velero serves, Velero makes it, with the data of volumes.
BegunBackup begin_emergency(AdminClient& client, const BackupArguments& a, const json::value& cluster) {
  BegunBackup b{text_at(cluster, "name"), "emergency-" + date_digits(SystemClock().wall_ms()), ""};
  json::object spec{{"includeClusterResources", true}};
  if (!a.ttl.empty()) spec["ttl"] = a.ttl;
  const bool by_velero = text_at(cluster, "role") == "observing";
  const auto begun = client.call("POST", "/v1/clusters/" + b.cluster + "/backups", json::object{{"name", b.name}, {"spec", std::move(spec)}, {"by_velero", by_velero}, {"urgent", true}});
  if (!begun) b.problem = begun.error().message();
  return b;
}

// A cluster that cannot be backed up does not keep the others from it.
Result<void> emergency(const CliContext& c, const BackupArguments& a) {
  AdminClient client = client_of(c);
  HF_TRY(const json::value listed, client.call("GET", "/v1/clusters"));
  std::vector<BegunBackup> all;
  for (const json::value& cluster : listed.at("clusters").as_array()) {
    if (a.cluster.empty() || text_at(cluster, "name") == a.cluster) all.push_back(begin_emergency(client, a, cluster));
  }
  if (all.empty()) return error(Code::kNotFound, a.cluster.empty() ? "no cluster is registered" : "no cluster \"" + a.cluster + "\"");
  json::array ended;
  std::string problems;
  for (BegunBackup& b : all) {
    if (b.problem.empty() && a.wait) {
      const auto end = await_end(client, "/v1/clusters/" + b.cluster + "/backups/" + b.name);
      if (!end) b.problem = end.error().message();
      else if (text_at(*end, "phase") != "Completed") b.problem = "it is " + text_at(*end, "phase") + ": " + reason_of(*end);
    }
    ended.push_back(json::object{{"cluster", b.cluster}, {"name", b.name}, {"problem", b.problem}});
    if (!b.problem.empty()) problems += (problems.empty() ? "" : "\nholdfast: ") + ("cluster \"" + b.cluster + "\", backup \"" + b.name + "\": " + b.problem);
    else if (!c.json()) std::cout << b.cluster << ": " << b.name << (a.wait ? " is Completed\n" : " has been asked for\n");
  }
  c.told = c.json();
  if (c.json()) print_json(json::object{{"backups", std::move(ended)}});
  if (!problems.empty()) return error(Code::kFailedPrecondition, problems);
  return {};
}

Result<void> list(const CliContext& c, const BackupArguments& a) {
  HF_TRY(const std::string cluster, cluster_of(c, a.cluster));
  HF_TRY(const json::value answer, client_of(c).call("GET", "/v1/clusters/" + cluster + "/backups"));
  if (c.json()) {
    print_json(answer);
    return {};
  }
  std::vector<std::vector<std::string>> rows;
  for (const json::value& b : answer.at("backups").as_array()) {
    rows.push_back({text_at(b, "name"), text_at(b, "phase"), text_at(b, "items"), text_at(b, "warnings"), text_at(b, "errors"),
                    text_at(b, "started"), text_at(b, "expires"), b.at("doubted").as_bool() ? "FAILED" : b.at("verified").as_bool() ? "yes" : "-", dash(text_at(b, "locked_until"))});
  }
  print_table({"BACKUP", "PHASE", "ITEMS", "WARNINGS", "ERRORS", "STARTED", "EXPIRES", "VERIFIED", "LOCKED UNTIL"}, rows);
  print_reasons(answer.at("backups").as_array());
  return {};
}

Result<void> describe(const CliContext& c, const BackupArguments& a) {
  HF_TRY(const std::string cluster, cluster_of(c, a.cluster));
  return print_document(c, "/v1/clusters/" + cluster + "/backups/" + a.name);
}

Result<void> logs(const CliContext& c, const BackupArguments& a) {
  HF_TRY(const std::string cluster, cluster_of(c, a.cluster));
  return print_log(c, "/v1/clusters/" + cluster + "/backups/" + a.name);
}

// The archive, whole or not at all: under its name only when every byte is there.
Result<void> download(const CliContext& c, const BackupArguments& a) {
  HF_TRY(const std::string cluster, cluster_of(c, a.cluster));
  const std::filesystem::path target = a.output.empty() ? a.name + ".tar.gz" : a.output;
  std::error_code failed;
  if (!a.force && std::filesystem::exists(target, failed)) return error(Code::kAlreadyExists, target.string() + " is there already; --force replaces it");
  const std::string path = "/v1/clusters/" + cluster + "/backups/" + a.name + "/archive/";
  AdminClient client = client_of(c);
  HF_TRY(FetchedPiece piece, client.fetch(path + "0"));
  const std::string etag = piece.etag;
  const std::filesystem::path part = target.string() + ".part";
  const int fd = ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);  // it may hold secrets
  if (fd < 0) return error(Code::kIoError, part.string() + ": " + std::strerror(errno));
  Result<void> done;
  uint64_t written = 0;
  while (done && !piece.bytes.empty()) {
    if (::write(fd, piece.bytes.data(), piece.bytes.size()) != static_cast<ssize_t>(piece.bytes.size())) {
      done = error(Code::kIoError, part.string() + ": " + std::strerror(errno));
      break;
    }
    written += piece.bytes.size();
    if (written >= piece.total_bytes) break;
    auto next = client.fetch(path + std::to_string(written));
    if (!next) done = std::unexpected(next.error());
    else if (next->etag != etag) done = error(Code::kFailedPrecondition, "backup \"" + a.name + "\" was replaced meanwhile");
    else piece = std::move(*next);
  }
  if (done && (::fsync(fd) != 0 || written != piece.total_bytes)) done = error(Code::kIoError, part.string() + ": not every byte could be written");
  ::close(fd);
  if (done) std::filesystem::rename(part, target, failed);
  if (done && failed) done = error(Code::kIoError, target.string() + ": " + failed.message());
  if (!done) std::filesystem::remove(part, failed);
  HF_CHECK(done);
  if (!c.json()) std::cout << target.string() << ": " << written << " bytes\n";
  return {};
}

Result<void> remove(const CliContext& c, const BackupArguments& a) {
  HF_TRY(const std::string cluster, cluster_of(c, a.cluster));
  return call_quietly(c, "DELETE", "/v1/clusters/" + cluster + "/backups/" + a.name, nullptr, "deleted");
}

}  // namespace

void add_backup_commands(CLI::App& app, CliContext& c) {
  auto* backup = app.add_subcommand("backup", "Backups of clusters");
  backup->require_subcommand(1);
  auto a = std::make_shared<BackupArguments>();
  backup->add_option("--cluster", a->cluster, "the cluster; not needed where there is only one");
  backup->fallthrough();
  auto* create_command = backup->add_subcommand("create", "Back a cluster up now");
  create_command->add_option("NAME", a->name, "name of the backup")->required();
  create_command->add_option("--include-namespaces", a->included_namespaces, "names or patterns; default: all")->delimiter(',');
  create_command->add_option("--exclude-namespaces", a->excluded_namespaces)->delimiter(',');
  create_command->add_option("--include-resources", a->included_resources, "resources such as deployments.apps; default: all")->delimiter(',');
  create_command->add_option("--exclude-resources", a->excluded_resources)->delimiter(',');
  create_command->add_option("--include-cluster-resources", a->include_cluster_resources, "true or false; default: with all namespaces")
      ->check(CLI::IsMember({"true", "false"}));
  create_command->add_option("--selector", a->selector, "labels: KEY=VALUE,...");
  create_command->add_option("--ttl", a->ttl, "how long it is kept; default: 720h");
  create_command->add_option("--spec", a->spec_file, "file with a Backup.spec as JSON, for everything else");
  create_command->add_flag("--by-velero", a->by_velero, "where Velero serves the cluster: have it make the backup, with the data of volumes");
  create_command->add_flag("--wait", a->wait, "wait for its end; exit code 1 unless it is Completed");
  create_command->callback([&c, a] { c.run = [&c, a] { return create(c, *a); }; });
  auto* emergency_command = backup->add_subcommand("emergency", "Back up everything of every cluster (or of --cluster) now, before all that waits");
  emergency_command->add_option("--ttl", a->ttl, "how long it is kept; default: 720h");
  emergency_command->add_flag("--wait", a->wait, "wait for the end of all; exit code 1 unless each is Completed");
  emergency_command->callback([&c, a] { c.run = [&c, a] { return emergency(c, *a); }; });
  backup->add_subcommand("list", "List restore points, and backups that run or failed")->callback([&c, a] { c.run = [&c, a] { return list(c, *a); }; });
  const auto add = [&](const char* verb, const char* help, Result<void> (*action)(const CliContext&, const BackupArguments&)) {
    auto* command = backup->add_subcommand(verb, help);
    command->add_option("NAME", a->name)->required();
    command->callback([&c, a, action] { c.run = [&c, a, action] { return action(c, *a); }; });
  };
  add("describe", "The Backup object of a restore point, as JSON", describe);
  add("logs", "What a backup said", logs);
  auto* download_command = backup->add_subcommand("download", "Fetch the archive of a restore point: a tar.gz with every object as JSON, secrets too");
  download_command->add_option("NAME", a->name)->required();
  download_command->add_option("-o,--output-file", a->output, "where to; default: NAME.tar.gz");
  download_command->add_flag("--force", a->force, "replace the file");
  download_command->callback([&c, a] { c.run = [&c, a] { return download(c, *a); }; });
  add("delete", "Delete a restore point", remove);
}

}  // namespace holdfast
