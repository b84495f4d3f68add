#include <boost/json.hpp>
#include <iostream>

#include "daemon/cli/calls.h"
#include "daemon/cli/output.h"

namespace holdfast {

namespace json = boost::json;

namespace {

struct WebhookArguments {
  std::string name, url, secret_file, ca_file;
  std::vector<std::string> events;
};

Result<void> add(const CliContext& c, const WebhookArguments& a) {
  json::object body{{"name", a.name}, {"url", a.url}, {"events", json::array(a.events.begin(), a.events.end())}};
  if (!a.secret_file.empty()) {
    HF_TRY(const std::string secret, read_text_file(a.secret_file == "-" ? "/dev/stdin" : a.secret_file));
    body["secret"] = secret.substr(0, secret.find_first_of("\r\n"));
  }
  if (!a.ca_file.empty()) {
    HF_TRY(body["ca_pem"], read_text_file(a.ca_file));
  }
  return call_quietly(c, "POST", "/v1/webhooks", body, "webhook " + a.name + " added; `holdfast webhook test " + a.name + "` sends it an event");
}

Result<void> list(const CliContext& c) {
  HF_TRY(const json::value answer, client_of(c).call("GET", "/v1/webhooks"));
  if (c.json()) {
    print_json(answer);
    return {};
  }
  std::vector<std::vector<std::string>> rows;
  for (const json::value& w : answer.at("webhooks").as_array()) {
    std::string events;
    for (const json::value& e : w.at("events").as_array()) events += (events.empty() ? "" : ",") + text_of(e);
    rows.push_back({text_at(w, "name"), text_at(w, "url"), w.at("signed").as_bool() ? "yes" : "no", events.empty() ? "all" : events, std::to_string(number_at(w, "delivered")),
                    std::to_string(number_at(w, "waiting")), std::to_string(number_at(w, "lost")), dash(text_at(w, "problem"))});
  }
  print_table({"WEBHOOK", "URL", "SIGNED", "EVENTS", "DELIVERED", "WAITING", "LOST", "PROBLEM"}, rows);
  return {};
}

}  // namespace

void add_webhook_commands(CLI::App& app, CliContext& c) {
  auto* webhook = app.add_subcommand("webhook", "Who is told of failed backups, missed runs and the like");
  webhook->require_subcommand(1);
  auto a = std::make_shared<WebhookArguments>();
  auto* add_command = webhook->add_subcommand("add", "Tell events to a URL by POST; one of that name is replaced");
  add_command->add_option("NAME", a->name)->required();
  add_command->add_option("--url", a->url, "http:// or https://")->required();
  add_command->add_option("--event", a->events, "one of those in docs/policies.md; may be repeated; default: all");
  add_command->add_option("--secret-file", a->secret_file, "file with the secret that each message is signed with; -: standard input");
  add_command->add_option("--ca-file", a->ca_file, "PEM file with the authority that vouches for the receiver");
  add_command->callback([&c, a] { c.run = [&c, a] { return add(c, *a); }; });
  webhook->add_subcommand("list", "Webhooks, and whether they get what they are to get")->callback([&c] { c.run = [&c] { return list(c); }; });
  auto* test = webhook->add_subcommand("test", "Send an event, and wait until it is taken");
  test->add_option("NAME", a->name)->required();
  test->callback([&c, a] { c.run = [&c, a] { return call_quietly(c, "POST", "/v1/webhooks/" + a->name + "/test", nullptr, "the receiver has taken it"); }; });
  auto* remove = webhook->add_subcommand("remove", "Forget a webhook");
  remove->add_option("NAME", a->name)->required();
  remove->callback([&c, a] { c.run = [&c, a] { return call_quietly(c, "DELETE", "/v1/webhooks/" + a->name, nullptr, "removed"); }; });
}

}  // namespace holdfast
