#include "daemon/app/init_command.h"

#include <boost/json.hpp>
#include <iostream>

#include "daemon/cli/output.h"

namespace holdfast {

namespace {

Result<void> run_init(const CliContext& c, const InitRequest& request) {
  HF_TRY(const InitResult r, init_appliance(request));
  if (c.json()) {
    print_json(boost::json::object{{"config_file", r.config_file}, {"access_key", r.access_key}, {"secret_key", r.secret_key},
                                   {"credentials_file", r.credentials_file}, {"recovery_key", r.recovery_key}});
    return {};
  }
  std::cout << "configuration: " << r.config_file << "\ncredentials:   " << r.credentials_file << " (access key " << r.access_key << ")\n";
  if (!r.recovery_key.empty()) {
    std::cout << "\nRecovery key, shown this once. With it and the device alone everything can be read again, and with it and a site\n"
                 "the appliance comes back on another host (holdfast recover); without it and without the master key nothing can.\n"
                 "Keep it away from this host.\n\n    "
              << r.recovery_key << "\n";
  }
  return {};
}

}  // namespace

void add_device_options(CLI::App& command, PoolConfig& pool) {
  command.add_option("--chap-user", pool.chap_user, "CHAP user of an iSCSI device");
  command.add_option("--chap-secret-file", pool.chap_secret_file, "file (0600) with its CHAP secret");
  command.add_option("--mutual-chap-user", pool.mutual_chap_user, "user by which the target proves itself");
  command.add_option("--mutual-chap-secret-file", pool.mutual_chap_secret_file, "file (0600) with that secret");
  command.add_option("--initiator-name", pool.initiator_name, "iSCSI name of this host");
  command.add_flag("--header-digest", pool.header_digest, "CRC32C over iSCSI headers");
}

void add_init_options(CLI::App& command, InitOptions& o) {
  InitRequest& r = o.request;
  auto* dir = command.add_option("--dir", r.directory, "directory for configuration, keys, state and a file pool");
  command.add_flag("--system", o.system, "for the systemd unit: configuration and keys in /etc/holdfast, data in /var/lib/holdfast")->excludes(dir);
  command.add_option("--device", r.device, "block device or iscsi://PORTAL/TARGET/LUN; default: a file");
  command.add_option("--size", o.size, "size of a file pool")->capture_default_str();
  command.add_option("--pool", r.pool_name)->capture_default_str();
  command.add_option("--listen", r.listen, "address of the S3 endpoint")->capture_default_str();
  command.add_flag("--plain-http", r.plain_http, "serve S3 without TLS");
  command.add_option("--certificate", r.certificate_file, "PEM file");
  command.add_option("--key", r.key_file, "PEM file");
  add_device_options(command, r.iscsi);
}

Result<InitRequest> checked(const InitOptions& o) {
  InitRequest r = o.request;
  if (r.directory.empty() && !o.system) return error(Code::kInvalidArgument, "give --dir DIRECTORY or --system");
  if (!parse_bytes(o.size, r.file_bytes)) return error(Code::kInvalidArgument, "--size " + o.size + " is not a size, such as 512M, 20G or 1.5T");
  if (!r.plain_http && (r.certificate_file.empty() || r.key_file.empty())) {
    return error(Code::kInvalidArgument, "give --certificate and --key, or ask for --plain-http");
  }
  return r;
}

void add_init_command(CLI::App& app, CliContext& c) {
  auto o = std::make_shared<InitOptions>();
  auto* init = app.add_subcommand("init", "Make a pool, keys, the first admin user and a configuration");
  add_init_options(*init, *o);
  init->add_flag("!--no-encryption", o->request.encrypted, "store data in the clear");
  init->callback([&c, o] {
    c.run = [&c, o]() -> Result<void> {
      HF_TRY(const InitRequest request, checked(*o));
      return run_init(c, request);
    };
  });
}

}  // namespace holdfast
