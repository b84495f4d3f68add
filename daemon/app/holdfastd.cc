// The daemon.
#include <CLI/CLI.hpp>
#include <iostream>

#include "daemon/app/app.h"

int main(int argc, char** argv) {
  CLI::App app("holdfastd: the Holdfast storage and backup daemon");
  std::string config = "/etc/holdfast/holdfastd.yaml";
  holdfast::OpenFlags flags;
  app.add_option("--config", config, "configuration file (docs/configuration.md)")->capture_default_str();
  app.add_flag("--accept-loss", flags.accept_loss, "open a damaged pool for writing; what the damage hides is lost");
  app.add_flag("--rebuild-index", flags.rebuild_index, "rebuild every index from its device");
  app.add_flag("--moved-device", flags.moved_device, "open pools that were copied to another device on purpose");
  app.add_flag("--take-over", flags.take_over, "take the devices from the host that holds them");
  CLI11_PARSE(app, argc, argv);
  const auto done = holdfast::run_daemon(config, flags);
  if (done) return 0;
  std::cerr << "holdfastd: " << done.error().message() << "\n";
  return 1;
}
