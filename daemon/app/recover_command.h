// `holdfast recover`: an appliance on a blank host, and who of two acts.
#pragma once

#include "daemon/cli/commands.h"

namespace holdfast {

void add_recover_command(CLI::App& app, CliContext& context);

}  // namespace holdfast
