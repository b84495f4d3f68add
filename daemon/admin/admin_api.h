// The admin API: HTTP and JSON, version 1, described in docs/api.md. Health and metrics are here too.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <functional>

#include "daemon/admin/metrics.h"
#include "daemon/services.h"
#include "storage/base/random.h"
#include "storage/net/http_server.h"

namespace holdfast {

struct AdminApiOptions {
  Services services;
  Metrics* metrics = nullptr;
  Random* random = nullptr;
  boost::asio::thread_pool* workers = nullptr;
  std::string token;  // for requests that do not come over the Unix socket; empty: those are all refused
  std::function<bool()> ready;
};

// Requests from the Unix socket (peer "local") are trusted: its file mode guards it.
HttpHandler make_admin_api(AdminApiOptions options);

}  // namespace holdfast
