// The load generator: one operation at one number of connections for some seconds; prints one JSON line.
#include <signal.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <thread>

#include "storage/base/bytes.h"
#include "storage/base/digest.h"
#include "tests/bench/http_client.h"

namespace holdfast::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

struct Options {
  Endpoint endpoint;
  std::string operation = "put";
  std::string bucket = "bench";
  std::string prefix = "o";
  uint64_t size_bytes = 4096;
  int connections = 8;
  double seconds = 5;
  std::string part_etag;  // of the one part that is sent again and again
  int keys = 1000;  // how many objects reading operations choose from, and `fill` makes
};

struct Tally {
  std::mutex mutex;
  std::vector<double> latencies_ms;
  std::atomic<uint64_t> operations{0}, objects{0}, errors{0};
  std::atomic<int> next{0};
};

std::string key_of(const Options& o, int n) {
  char text[64];
  std::snprintf(text, sizeof text, "/%03d/%07d", n / 1000, n);
  return "/" + o.bucket + "/" + o.prefix + text;
}

std::string random_body(uint64_t size) {
  std::string body(size, '\0');
  uint64_t x = 88172645463325252;
  for (size_t i = 0; i + 8 <= size; i += 8) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    std::memcpy(body.data() + i, &x, 8);
  }
  return body;
}

int delete_batch(S3Connection& c, const Options& o, int first) {
  std::string document = "<Delete><Quiet>true</Quiet>";
  for (int i = 0; i < 100; ++i) document += "<Object><Key>" + key_of(o, first + i).substr(o.bucket.size() + 2) + "</Key></Object>";
  document += "</Delete>";
  const std::string md5 = base64(as_bytes(Digest::of(DigestKind::kMd5, as_bytes(document))));
  return c.request("POST", "/" + o.bucket, {{"delete", ""}}, document, nullptr, md5);
}

int multipart(S3Connection& c, const std::string& path, const std::string& body, const std::string& etag) {
  std::string answer;
  c.request("POST", path, {{"uploads", ""}}, "", &answer);
  const size_t at = answer.find("<UploadId>") + 10;
  const std::string id = answer.substr(at, answer.find("</UploadId>") - at);
  std::string document = "<CompleteMultipartUpload>";
  for (int part = 1; part <= 8; ++part) {
    if (c.request("PUT", path, {{"partNumber", std::to_string(part)}, {"uploadId", id}}, body, nullptr) != 200) return 500;
    document += "<Part><PartNumber>" + std::to_string(part) + "</PartNumber><ETag>\"" + etag + "\"</ETag></Part>";
  }
  document += "</CompleteMultipartUpload>";
  return c.request("POST", path, {{"uploadId", id}}, document, nullptr);
}

int one(S3Connection& c, const Options& o, const std::string& body, int n, uint64_t& objects) {
  objects = 1;
  const std::string path = key_of(o, n);
  if (o.operation == "put" || o.operation == "fill") return c.request("PUT", path, {}, body, nullptr);
  if (o.operation == "get") return c.request("GET", key_of(o, n % o.keys), {}, "", nullptr);
  if (o.operation == "stat") return c.request("HEAD", key_of(o, n % o.keys), {}, "", nullptr);
  if (o.operation == "mixed") {  // three reads, a write
    if (n % 4 == 3) return c.request("PUT", "/" + o.bucket + "/new" + path.substr(o.bucket.size() + 1), {}, body, nullptr);
    return c.request("GET", key_of(o, n % o.keys), {}, "", nullptr);
  }
  if (o.operation == "multipart") return multipart(c, path, body, o.part_etag);
  if (o.operation == "delete") {
    objects = 100;
    return delete_batch(c, o, n * 100);
  }
  objects = 1000;
  return c.request("GET", "/" + o.bucket, {{"list-type", "2"}, {"prefix", o.prefix + "/"}, {"max-keys", "1000"},
                                           {"start-after", key_of(o, (n * 37) % o.keys).substr(o.bucket.size() + 2)}}, "", nullptr);
}

void work(const Options& o, const std::string& body, SteadyClock::time_point end, Tally& tally) {
  std::vector<double> latencies;
  try {
    S3Connection c(o.endpoint);
    for (;;) {
      const int n = tally.next++;
      const bool counted = o.operation == "fill" || o.operation == "delete";
      const int limit = o.operation == "delete" ? o.keys / 100 : o.keys;
      if (counted ? n >= limit : SteadyClock::now() >= end) break;
      const auto began = SteadyClock::now();
      uint64_t objects = 0;
      const int status = one(c, o, body, n, objects);
      latencies.push_back(std::chrono::duration<double, std::milli>(SteadyClock::now() - began).count());
      if (status / 100 == 2) {
        ++tally.operations;
        tally.objects += objects;
      } else {
        ++tally.errors;
      }
    }
  } catch (const std::exception& e) {
    std::fprintf(stderr, "connection: %s\n", e.what());
    ++tally.errors;
  }
  std::lock_guard lock(tally.mutex);
  tally.latencies_ms.insert(tally.latencies_ms.end(), latencies.begin(), latencies.end());
}

void run(Options o) {
  const std::string body = random_body(o.size_bytes);
  o.part_etag = hex(as_bytes(Digest::of(DigestKind::kMd5, as_bytes(body))));
  Tally tally;
  const auto began = SteadyClock::now();
  const auto end = began + std::chrono::milliseconds(static_cast<int64_t>(o.seconds * 1000));
  std::vector<std::thread> threads;
  for (int i = 0; i < o.connections; ++i) threads.emplace_back([&] { work(o, body, end, tally); });
  for (auto& t : threads) t.join();
  const double took = std::chrono::duration<double>(SteadyClock::now() - began).count();
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  auto& l = tally.latencies_ms;
  std::sort(l.begin(), l.end());
  const auto at = [&](double p) { return l.empty() ? 0.0 : l[std::min(l.size() - 1, static_cast<size_t>(p * static_cast<double>(l.size())))]; };
  const double bytes = o.operation == "multipart" ? 8.0 * static_cast<double>(o.size_bytes)
                       : o.operation == "put" || o.operation == "get" || o.operation == "mixed" ? static_cast<double>(o.size_bytes) : 0.0;
  const double client_s = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                          static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  std::printf("{\"operation\":\"%s\",\"size\":%lu,\"connections\":%d,\"operations_s\":%.1f,\"objects_s\":%.1f,\"mib_s\":%.1f,"
              "\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f,\"client_cpu_s\":%.2f,\"seconds\":%.2f,\"errors\":%lu}\n",
              o.operation.c_str(), o.size_bytes, o.connections, static_cast<double>(tally.operations) / took,
              static_cast<double>(tally.objects) / took, static_cast<double>(tally.operations) * bytes / took / 1048576, at(0.5),
              at(0.99), at(0.999), client_s, took, tally.errors.load());
}

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  holdfast::bench::Options o;
  CLI::App app("load: drives an S3 server and prints what it did");
  app.add_option("--port", o.endpoint.port)->required();
  app.add_flag("--tls", o.endpoint.tls);
  app.add_option("--access-key", o.endpoint.access_key)->envname("AWS_ACCESS_KEY_ID")->required();
  app.add_option("--secret-key", o.endpoint.secret_key)->envname("AWS_SECRET_ACCESS_KEY")->required();
  app.add_option("--operation", o.operation, "put, get, mixed, stat, list, delete, multipart, fill, bucket");
  app.add_option("--bucket", o.bucket);
  app.add_option("--prefix", o.prefix);
  app.add_option("--size", o.size_bytes);
  app.add_option("--connections", o.connections);
  app.add_option("--seconds", o.seconds);
  app.add_option("--keys", o.keys);
  CLI11_PARSE(app, argc, argv);
  if (o.operation == "bucket") {
    holdfast::bench::S3Connection c(o.endpoint);
    return c.request("PUT", "/" + o.bucket, {}, "", nullptr) == 200 ? 0 : 1;
  }
  holdfast::bench::run(o);
  return 0;
}
