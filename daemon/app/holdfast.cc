// The command line. Commands on devices work without a daemon; all others talk to the running one.
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <csignal>
#include <iostream>

#include "daemon/app/init_command.h"
#include "daemon/app/open_pools.h"
#include "daemon/app/recover_command.h"
#include "daemon/cli/commands.h"
#include "daemon/cli/output.h"
#include "storage/base/log.h"

namespace holdfast {
namespace {

boost::json::object link_object(const LinkInfo& l) {
  return {{"command_bytes", l.command_bytes}, {"command_depth", l.command_depth}, {"most_command_bytes", l.most_bytes},
          {"best_command_bytes", l.best_bytes}, {"round_trip_us", l.round_trip.count()}};
}

std::string link_text(const LinkInfo& l) {
  const auto said = [](uint64_t bytes) { return bytes == 0 ? "not said" : bytes_text(bytes); };
  return "of up to " + bytes_text(l.command_bytes) + ", " + std::to_string(l.command_depth) + " at once (by the target: at most " + said(l.most_bytes) +
         ", best " + said(l.best_bytes) + "; round trip " + std::to_string(l.round_trip.count()) + " us)";
}

Result<void> run_probe(const CliContext& c, const PoolConfig& pool) {
  HF_TRY(const ProbeResult p, probe_device(pool));
  if (c.json()) {
    boost::json::object o{{"device", p.device}, {"identity", p.identity}, {"size_bytes", p.size_bytes},
                          {"block_bytes", p.block_bytes}, {"has_pool", p.has_pool}, {"pool", p.pool_name},
                          {"pool_id", p.pool_id}, {"holder", p.holder}, {"epoch", p.epoch},
                          {"encrypted", p.encrypted}, {"reservation", p.reservation}, {"problem", p.problem}};
    if (p.link) o["link"] = link_object(*p.link);
    print_json(o);
    return {};
  }
  std::cout << "device:      " << p.device << "\nidentity:    " << p.identity << "\nsize:        " << bytes_text(p.size_bytes)
            << ", blocks of " << p.block_bytes << " bytes\n";
  if (p.link) std::cout << "commands:    " << link_text(*p.link) << "\n";
  if (!p.reservation.empty()) std::cout << "reservation: " << p.reservation << "\n";
  if (!p.problem.empty()) std::cout << "problem:     " << p.problem << "\n";
  if (!p.has_pool) {
    std::cout << "pool:        none\n";
    return {};
  }
  std::cout << "pool:        " << p.pool_name << " (" << p.pool_id << "), epoch " << p.epoch << (p.encrypted ? ", encrypted" : "")
            << "\nlast opened: " << (p.holder.empty() ? "never" : p.holder) << "\n";
  return {};
}

void add_pool_create(CLI::App& pool, CliContext& c) {
  auto p = std::make_shared<PoolConfig>();
  auto size = std::make_shared<std::string>("20G");
  auto clear = std::make_shared<bool>(false);
  auto* create = pool.add_subcommand("create", "Format a device or a new file as a further pool");
  create->add_option("NAME", p->name)->required();
  create->add_option("--device", p->device, "path or iscsi:// URL")->required();
  create->add_option("--size", *size, "size of a file that does not exist yet")->capture_default_str();
  create->add_option("--master-key-file", p->master_key_file, "where its new master key is written");
  create->add_flag("--no-encryption", *clear, "store data in the clear");
  add_device_options(*create, *p);
  create->callback([&c, p, size, clear] {
    c.run = [&c, p, size, clear]() -> Result<void> {
      uint64_t bytes = 0;
      if (!parse_bytes(*size, bytes)) return error(Code::kInvalidArgument, "--size " + *size + " is not a size, such as 512M, 20G or 1.5T");
      if (!*clear && p->master_key_file.empty()) return error(Code::kInvalidArgument, "give --master-key-file, or ask for --no-encryption");
      HF_TRY(const std::string recovery, create_pool(*p, bytes, !*clear));
      if (c.json()) print_json(boost::json::object{{"pool", p->name}, {"recovery_key", recovery}});
      else std::cout << "created; add it to the configuration under \"pools\"\n" << (recovery.empty() ? "" : "recovery key, shown this once: " + recovery + "\n");
      return {};
    };
  });
}

// Opens a pool once, without serving: for a rebuild or a takeover while the daemon is down.
void add_pool_open_commands(CLI::App& pool, CliContext& c) {
  auto config_path = std::make_shared<std::string>("/etc/holdfast/holdfastd.yaml");
  auto name = std::make_shared<std::string>("main");
  const auto add = [&](const char* verb, const char* help, OpenFlags flags) {
    auto* command = pool.add_subcommand(verb, help);
    command->add_option("POOL", *name)->capture_default_str();
    command->add_option("--config", *config_path)->capture_default_str();
    auto chosen = std::make_shared<OpenFlags>(flags);
    if (flags.rebuild_index) command->add_flag("--from-log", chosen->ignore_snapshots, "Use no index snapshot");
    command->callback([&c, config_path, name, chosen] {
      c.run = [&c, config_path, name, chosen]() -> Result<void> {
        start_log("warn");
        HF_TRY(const Config config, load_config(*config_path));
        for (const PoolConfig& p : config.pools) {
          if (p.name != *name) continue;
          SystemClock clock;
          SystemRandom random;
          HF_TRY(const auto opened, open_pool(config, p, *chosen, clock, random));
          if (!opened->read_only_reason().empty()) return error(Code::kCorrupt, Subject::kPool, opened->read_only_reason());
          if (c.json()) print_json(boost::json::object{{"pool", *name}, {"epoch", opened->superblock().epoch}});
          else std::cout << "pool " << *name << " opened and closed cleanly, epoch " << opened->superblock().epoch << "\n";
          return {};
        }
        return error(Code::kNotFound, Subject::kPool, "no pool \"" + *name + "\" in " + *config_path);
      };
    });
  };
  add("rebuild-index", "Rebuild the index from the device; the daemon must be stopped", {.rebuild_index = true});
  add("takeover", "Take the device from the host that holds it; that host must be down or fenced", {.take_over = true});
}

void add_device_commands(CLI::App& app, CliContext& c) {
  auto* device = app.add_subcommand("device", "Devices");
  device->require_subcommand(1);
  auto p = std::make_shared<PoolConfig>();
  auto* probe = device->add_subcommand("probe", "What is on this device, and who holds it? Writes nothing");
  probe->add_option("DEVICE", p->device, "path or iscsi://PORTAL/TARGET/LUN")->required();
  add_device_options(*probe, *p);
  probe->callback([&c, p] { c.run = [&c, p] { return run_probe(c, *p); }; });
}

}  // namespace
}  // namespace holdfast

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a lost session is an error of its call
  holdfast::start_log("warn");  // standard output is for what was asked
  CLI::App app("holdfast: administration of a Holdfast appliance");
  app.require_subcommand(1);
  app.fallthrough();
  holdfast::CliContext context;
  context.where = "/run/holdfast/admin.sock";
  app.add_option("--admin", context.where, "admin socket, or http://HOST:PORT")->envname("HOLDFAST_ADMIN")->capture_default_str();
  app.add_option("--token-file", context.token_file, "file with the admin token, for http://")->envname("HOLDFAST_TOKEN_FILE");
  app.add_option("--output", context.output, "text or json")->check(CLI::IsMember({"text", "json"}))->capture_default_str();
  holdfast::add_init_command(app, context);
  holdfast::add_recover_command(app, context);
  auto* pool = app.add_subcommand("pool", "Pools");
  pool->require_subcommand(1);
  holdfast::add_pool_create(*pool, context);
  holdfast::add_pool_commands(*pool, context);
  holdfast::add_pool_open_commands(*pool, context);
  holdfast::add_device_commands(app, context);
  holdfast::add_user_commands(app, context);
  holdfast::add_bucket_commands(app, context);
  holdfast::add_cluster_commands(app, context);
  holdfast::add_backup_commands(app, context);
  holdfast::add_restore_commands(app, context);
  holdfast::add_policy_commands(app, context);
  holdfast::add_site_commands(app, context);
  holdfast::add_verify_commands(app, context);
  holdfast::add_webhook_commands(app, context);
  holdfast::add_status_command(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& e) {
    // A mistyped command is what is wrong then, not a missing one.
    const auto unknown = app.remaining(true);
    if (unknown.empty()) return app.exit(e);
    std::cerr << "holdfast: unknown command \"" << unknown.front() << "\"; holdfast --help lists the commands\n";
    return 1;
  } catch (const CLI::ParseError& e) {
    return app.exit(e);
  }
  const auto done = context.run();
  if (done) return 0;
  if (context.json() && !context.told) {
    boost::json::object e{{"code", std::string(holdfast::code_name(done.error().code()))}, {"message", done.error().message()}};
    holdfast::print_json(boost::json::object{{"error", e}});
  }
  std::cerr << "holdfast: " << done.error().message() << "\n";
  return 1;
}
