// The S3 protocol over an object store.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <memory>

#include "storage/base/clock.h"
#include "storage/base/md5_lanes.h"
#include "storage/base/random.h"
#include "storage/bucket_store.h"
#include "storage/net/http_server.h"
#include "storage/object_store.h"
#include "storage/prompt_store.h"

namespace holdfast::s3 {

struct GatewayOptions {
  std::string region = "us-east-1";
  std::vector<std::string> domains;  // for virtual-host addresses: BUCKET.<domain>
  bool encrypted = true;             // answer to x-amz-server-side-encryption: AES256
  // Bodies that move at once, each with about 1.5 MiB of buffers; further requests wait for up to 30 s, then SlowDown.
  size_t max_streams = 128;
};

// One finished request, for the access log and the metrics.
struct AccessRecord {
  std::string request_id;
  std::string peer;
  std::string user;       // access key; empty when unknown
  std::string operation;
  std::string bucket;
  std::string key;
  unsigned status = 0;
  std::string error_code;
  std::string detail;     // for the log alone: what the client is not told
  uint64_t received_bytes = 0;
  uint64_t sent_bytes = 0;
  double duration_ms = 0;
};

struct GatewayServices {
  ObjectStore* objects = nullptr;
  PromptStore* prompt = nullptr;  // the same store; nullptr: every request goes to a worker
  BucketStore* buckets = nullptr;
  UserStore* users = nullptr;
  Clock* clock = nullptr;
  Random* random = nullptr;
  boost::asio::thread_pool* workers = nullptr;
  Md5Lanes* md5 = nullptr;  // nullptr: each upload is hashed by itself
  std::function<void(const AccessRecord&)> on_access;  // on an I/O thread; must not block
};

// The handler to serve S3 with. `services` outlive it.
HttpHandler make_gateway(GatewayOptions options, GatewayServices services);

}  // namespace holdfast::s3
