#include "daemon/admin/webhook_api.h"

#include <boost/json.hpp>

namespace holdfast {

namespace json = boost::json;

namespace {

// Never with the secret; a URL may hold one, too, behind its host.
json::object to_json(const WebhookStatus& w) {
  return {{"name", w.name}, {"url", w.url}, {"signed", w.is_signed}, {"events", texts(w.events)}, {"delivered", w.delivered}, {"lost", w.lost}, {"waiting", w.waiting},
          {"last_delivered", time_text(w.last_delivered_ms)}, {"problem", w.problem}};
}

Result<HttpResponse> put(WebhookService& webhooks, const json::object& body) {
  HF_CHECK(only_keys(body, {"name", "url", "secret", "ca_pem", "events"}));
  NewWebhook w;
  HF_TRY(w.name, text_field(body, "name"));
  HF_TRY(w.url, text_field(body, "url"));
  HF_TRY(w.secret, text_field(body, "secret"));
  HF_TRY(w.ca_pem, text_field(body, "ca_pem"));
  HF_TRY(w.events, texts_field(body, "events"));
  HF_CHECK(webhooks.put_webhook(w));
  return json_response(json::object{{"name", w.name}}, 201);
}

}  // namespace

Result<HttpResponse> serve_webhooks(WebhookService& webhooks, const AdminCall& c) {
  if (c.is("GET", 2)) return json_response(json::object{{"webhooks", list_json(webhooks.webhooks(), to_json)}});
  if (c.is("POST", 2)) return put(webhooks, c.body);
  if (c.is("POST", 4) && c.path[3] == "test") {
    HF_CHECK(webhooks.test_webhook(c.path[2]));
    return json_response(json::object());
  }
  if (c.is("DELETE", 3)) {
    HF_CHECK(webhooks.remove_webhook(c.path[2]));
    return HttpResponse{204, {}, {}};
  }
  return error(Code::kNotFound, "no such resource");
}

}  // namespace holdfast
