// `holdfast init`, and the options that it shares with `holdfast recover`.
#pragma once

#include "daemon/app/offline.h"
#include "daemon/cli/commands.h"

namespace holdfast {

// Where a new appliance lies, and on what.
struct InitOptions {
  InitRequest request;
  std::string size = "20G";
  bool system = false;
};
void add_device_options(CLI::App& command, PoolConfig& pool);
void add_init_options(CLI::App& command, InitOptions& options);
// The request, once the options make sense.
Result<InitRequest> checked(const InitOptions& options);

void add_init_command(CLI::App& app, CliContext& context);

}  // namespace holdfast
