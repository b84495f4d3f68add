// The daemon.
#include <CLI/CLI.hpp>
#include <iostream>

#include "daemon/app/app.h"
#include "storage/base/cpu.h"

int main(int argc, char** argv) {
  CLI::App app("holdfastd: the Holdfast storage and backup daemon");
  std::string config = "/etc/holdfast/holdfastd.yaml";
  holdfast::OpenFlags flags;
  app.add_option("--config", config, "configuration file (docs/configuration.md)")->capture_default_str();
  app.add_flag("--accept-loss", flags.accept_loss, "open a damaged pool for writing; what the damage hides is lost");
  app.add_flag("--rebuild-index", flags.rebuild_index, "rebuild every index from its device");
  app.add_flag("--moved-device", flags.moved_device, "open pools that were copied to another device on purpose");
  app.add_flag("--take-over", flags.take_over, "take the devices from the host that holds them");
  std::string cpu;
  app.add_option("--cpu", cpu, "use no more of the processor than baseline, avx2 or avx512, to compare or to test; all that it has if not given");
  CLI11_PARSE(app, argc, argv);
  if (!cpu.empty()) {
    const auto level = holdfast::parse_cpu_level(cpu);
    if (!level) {
      std::cerr << "holdfastd: --cpu: " << level.error().message() << "\n";
      return 1;
    }
    holdfast::limit_cpu(*level);
  }
  const auto done = holdfast::run_daemon(config, flags);
  if (done) return 0;
  std::cerr << "holdfastd: " << done.error().message() << "\n";
  return 1;
}
