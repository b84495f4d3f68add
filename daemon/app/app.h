// The composition root of holdfastd: opens the pools, serves S3 and the admin API, stops cleanly.
#pragma once

#include "daemon/app/config.h"
#include "daemon/app/open_pools.h"

namespace holdfast {

// Runs until SIGTERM or SIGINT. SIGHUP reads the certificate and the log level again.
Result<void> run_daemon(const std::string& config_path, const OpenFlags& flags);

}  // namespace holdfast
