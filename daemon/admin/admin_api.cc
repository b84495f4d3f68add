#include "daemon/admin/admin_api.h"

#include <boost/json.hpp>

#include "daemon/admin/admin_call.h"
#include "daemon/admin/admin_json.h"
#include "daemon/admin/cluster_api.h"
#include "daemon/admin/policy_api.h"
#include "daemon/admin/recovery_api.h"
#include "daemon/admin/site_api.h"
#include "daemon/admin/verification_api.h"
#include "daemon/admin/webhook_api.h"
#include "storage/net/offload.h"

namespace holdfast {

namespace json = boost::json;

namespace {

constexpr uint64_t kMaxBodyBytes = 512 << 10;  // a kubeconfig with certificates

unsigned http_status(const Status& s) {
  switch (s.code()) {
    case Code::kInvalidArgument: return 400;
    case Code::kPermissionDenied: return 403;
    case Code::kNotFound: return 404;
    case Code::kAlreadyExists:
    case Code::kFailedPrecondition: return 409;
    case Code::kOutOfSpace: return 507;
    case Code::kUnimplemented: return 501;
    case Code::kUnavailable:
    case Code::kDeadlineExceeded: return 503;
    default: return 500;
  }
}

HttpResponse error_response(const Status& s) {
  json::object e;
  e["code"] = std::string(code_name(s.code()));
  e["message"] = s.message();
  return json_response(json::object{{"error", e}}, http_status(s));
}

class AdminApi {
 public:
  explicit AdminApi(AdminApiOptions options) : o_(std::move(options)) {}

  boost::asio::awaitable<void> serve(HttpExchange& exchange) {
    const HttpRequest& request = exchange.request();
    HttpResponse response;
    if (request.path() == "/healthz") {
      response.body = "ok\n";
    } else if (request.path() == "/readyz") {
      const bool ready = o_.ready();
      response.status = ready ? 200 : 503;
      response.body = ready ? "ready\n" : "not ready\n";
    } else if (!trusted(request)) {
      response.status = 401;
      response.headers.add("WWW-Authenticate", "Bearer");
      response.body = "{\"error\":{\"code\":\"unauthorized\",\"message\":\"a valid bearer token is needed\"}}\n";
    } else {
      response = co_await answer(exchange);
    }
    (void)co_await exchange.respond(std::move(response));
  }

 private:
  bool trusted(const HttpRequest& request) const {
    if (request.peer == "local") return true;
    const std::string_view given = request.headers.get("authorization");
    return !o_.token.empty() && given.starts_with("Bearer ") && equal_constant_time(given.substr(7), o_.token);
  }

  boost::asio::awaitable<HttpResponse> answer(HttpExchange& exchange) {
    const HttpRequest& request = exchange.request();
    auto call = std::make_shared<AdminCall>();
    call->method = request.method;
    const uint64_t n = request.content_length.value_or(0);
    HttpResponse response;
    if (n > kMaxBodyBytes || request.chunked) {
      response = error_response(Status(Code::kInvalidArgument, "the body is too large"));
      co_return response;
    }
    std::string body(n, '\0');
    MutableByteSpan into(reinterpret_cast<std::byte*>(body.data()), body.size());
    Result<size_t> read = co_await exchange.read_body(into);
    boost::system::error_code ec;
    const json::value parsed = n == 0 ? json::value(json::object()) : json::parse(body, ec);
    if (!read || ec || !parsed.is_object()) {
      response = error_response(Status(Code::kInvalidArgument, "the body is not a JSON object"));
      co_return response;
    }
    call->body = parsed.as_object();
    split_path(request.path(), *call);
    auto work = [this, call]() -> Result<HttpResponse> { return route(*call); };
    Result<HttpResponse> result = co_await offload(*o_.workers, std::move(work));
    response = result ? std::move(*result) : error_response(result.error());
    co_return response;
  }

  static void split_path(std::string_view path, AdminCall& call) {
    while (!path.empty()) {
      if (path.front() == '/') path.remove_prefix(1);
      const size_t end = std::min(path.find('/'), path.size());
      if (auto part = percent_decode(path.substr(0, end)); part && !part->empty()) call.path.push_back(std::move(*part));
      path.remove_prefix(end);
    }
  }

  Result<HttpResponse> route(const AdminCall& c) {
    const size_t n = c.path.size();
    if (n == 1 && c.path[0] == "metrics" && c.method == "GET") {
      HttpResponse r;
      r.headers.add("Content-Type", "text/plain; version=0.0.4");
      r.body = o_.metrics->render(o_.services);
      return r;
    }
    if (n >= 2 && c.path[0] == "v1") {
      if (c.path[1] == "status" && n == 2 && c.method == "GET") return status();
      if (c.path[1] == "pools") return route_pools(c);
      if (c.path[1] == "users") return route_users(c);
      if (c.path[1] == "buckets") return route_buckets(c);
      const bool about_point = n == 6 && c.path[1] == "clusters" && c.path[3] == "backups";
      if (about_point && ((c.method == "POST" && c.path[5] == "verify") || (c.method == "GET" && c.path[5] == "evidence"))) return serve_point_verification(*o_.services.verifications, c);
      if (c.path[1] == "schedules" && n == 2 && c.method == "GET") return json_response(json::object{{"schedules", schedules_json(*o_.services.clusters)}});
      if (c.path[1] == "verifications") return serve_verifications(*o_.services.verifications, c);
      if (c.path[1] == "clusters") return serve_clusters(*o_.services.clusters, c);
      if (c.path[1] == "sites") return serve_sites(*o_.services.sites, c);
      if (c.path[1] == "recovery") return serve_recovery(*o_.services.recovery, c);
      if (c.path[1] == "webhooks") return serve_webhooks(*o_.services.webhooks, c);
      if (c.path[1] == "policies") return serve_policies(*o_.services.policies, c);
    }
    return error(Code::kNotFound, "no such resource");
  }

  Result<HttpResponse> status() {
    json::array pools;
    for (const PoolStatus& p : o_.services.pools->pools()) pools.push_back(to_json(p));
    return json_response(json::object{{"ready", o_.ready()}, {"pools", pools}, {"buckets", o_.services.buckets->buckets().size()},
                                      {"clusters", clusters_json(*o_.services.clusters)}, {"policies", policies_json(*o_.services.policies)},
                                      {"recovery_alarms", texts(o_.services.recovery->alarms())}, {"site_alarms", texts(o_.services.sites->alarms())},
                                      {"webhook_alarms", texts(o_.services.webhooks->alarms())},
                                      {"schedules", schedules_json(*o_.services.clusters)},
                                      {"verifications", verification_orders_json(*o_.services.verifications)}});
  }

  Result<HttpResponse> route_pools(const AdminCall& c) {
    PoolService& pools = *o_.services.pools;
    if (c.path.size() == 2 && c.method == "GET") {
      json::array all;
      for (const PoolStatus& p : pools.pools()) all.push_back(to_json(p));
      return json_response(json::object{{"pools", all}});
    }
    if (c.path.size() == 4 && c.path[3] == "scrub" && c.method == "POST") {
      HF_CHECK(pools.start_scrub(c.path[2]));
      return json_response(json::object(), 202);
    }
    if (c.path.size() == 4 && c.path[3] == "scrub" && c.method == "GET") {
      HF_TRY(const ScrubStatus s, pools.scrub_status(c.path[2]));
      return json_response(to_json(s));
    }
    if (c.path.size() == 4 && c.path[3] == "snapshot" && c.method == "POST") {
      HF_CHECK(pools.take_snapshot(c.path[2]));
      return json_response(json::object());
    }
    if (c.path.size() == 4 && c.path[3] == "confirm-time" && c.method == "POST") {
      HF_CHECK(pools.confirm_time(c.path[2]));
      return json_response(json::object());
    }
    return error(Code::kNotFound, "no such resource");
  }

  Result<HttpResponse> route_users(const AdminCall& c) {
    UserStore& users = *o_.services.users;
    if (c.path.size() == 2 && c.method == "GET") {
      json::array all;
      for (const User& u : users.users()) all.push_back(to_json(u));
      return json_response(json::object{{"users", all}});
    }
    if (c.path.size() == 2 && c.method == "POST") {
      HF_TRY(User user, user_from_json(c.body, *o_.random));
      if (users.user(user.access_key)) {
        return error(Code::kAlreadyExists, Subject::kUser, "access key " + user.access_key + " exists");
      }
      HF_CHECK(users.put_user(user));
      json::object shown = to_json(user);
      shown["secret_key"] = user.secret;  // shown once, here
      return json_response(shown, 201);
    }
    if (c.path.size() == 3 && c.method == "PATCH") {
      auto user = users.user(c.path[2]);
      if (!user) return error(Code::kNotFound, Subject::kUser, "no user with access key " + c.path[2]);
      HF_CHECK(change_user(*user, c.body));
      HF_CHECK(users.put_user(*user));
      return json_response(to_json(*user));
    }
    if (c.path.size() == 3 && c.method == "DELETE") {
      HF_CHECK(users.remove_user(c.path[2]));
      return HttpResponse{204, {}, {}};
    }
    return error(Code::kNotFound, "no such resource");
  }

  Result<HttpResponse> route_buckets(const AdminCall& c) {
    BucketStore& buckets = *o_.services.buckets;
    if (c.path.size() == 2 && c.method == "GET") {
      json::array all;
      for (const Bucket& b : buckets.buckets()) all.push_back(to_json(b));
      return json_response(json::object{{"buckets", all}});
    }
    if (c.path.size() == 2 && c.method == "POST") {
      HF_TRY(const NewBucket wanted, bucket_from_json(c.body));
      HF_TRY(const Bucket made, buckets.create_bucket(wanted.bucket, wanted.pool));
      return json_response(to_json(made), 201);
    }
    if (c.path.size() == 3 && c.method == "GET") {
      HF_TRY(const Bucket b, buckets.bucket(c.path[2]));
      HF_TRY(const BucketUsage usage, o_.services.pools->usage(c.path[2]));
      json::object shown = to_json(b);
      shown["usage"] = to_json(usage);
      return json_response(shown);
    }
    if (c.path.size() == 3 && c.method == "DELETE") {
      HF_CHECK(buckets.delete_bucket(c.path[2]));
      return HttpResponse{204, {}, {}};
    }
    return error(Code::kNotFound, "no such resource");
  }

  const AdminApiOptions o_;
};

boost::asio::awaitable<void> serve_with(std::shared_ptr<AdminApi> api, HttpExchange& exchange) {
  co_await api->serve(exchange);
}

}  // namespace

HttpHandler make_admin_api(AdminApiOptions options) {
  auto api = std::make_shared<AdminApi>(std::move(options));
  return [api](HttpExchange& exchange) { return serve_with(api, exchange); };
}

}  // namespace holdfast
