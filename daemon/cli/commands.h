// The commands that talk to a running daemon.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>

#include "storage/base/status.h"

namespace holdfast {

// What every command shares.
struct CliContext {
  std::string where;       // admin socket or URL
  std::string token_file;
  std::string output = "text";
  bool json() const { return output == "json"; }
  // A document that tells of the failure, too, has been printed: no second one follows.
  mutable bool told = false;
  std::function<Result<void>()> run;  // set by the command that was chosen
};

void add_status_command(CLI::App& app, CliContext& context);
void add_user_commands(CLI::App& app, CliContext& context);
void add_bucket_commands(CLI::App& app, CliContext& context);
// `pool`: status, check, scrub, snapshot, confirm-time.
void add_pool_commands(CLI::App& pool, CliContext& context);
void add_cluster_commands(CLI::App& app, CliContext& context);
void add_backup_commands(CLI::App& app, CliContext& context);
void add_restore_commands(CLI::App& app, CliContext& context);
// `policy` and `retention`.
void add_policy_commands(CLI::App& app, CliContext& context);
// `site`, `copy` and `copies`.
void add_site_commands(CLI::App& app, CliContext& context);
void add_verify_commands(CLI::App& app, CliContext& context);
void add_webhook_commands(CLI::App& app, CliContext& context);

}  // namespace holdfast
