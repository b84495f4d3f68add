// What comes from clusters and their owners: kubeconfig, lists, watch events, discovery, plugins' answers, backup
// specifications, hooks, resource policies, replies of exec, schedules, credentials of locations, gzip.
// The first byte chooses.
#include "k8s/cron.h"
#include "k8s/client/event_lines.h"
#include "k8s/client/pod_exec.h"
#include "k8s/spec/credentials_file.h"
#include "k8s/spec/backup_spec.h"
#include "k8s/spec/go_duration.h"
#include "k8s/bucket/gunzip_stream.h"
#include "k8s/bucket/gzip_writer.h"
#include "k8s/backup/related_items.h"
#include "k8s/backup/resource_filter.h"
#include "k8s/client/credentials.h"
#include "k8s/client/list_splitter.h"

using namespace holdfast;
using namespace holdfast::k8s;

namespace {

void check(bool holds) {
  if (!holds) __builtin_trap();
}

std::pair<std::vector<std::string>, bool> split(std::string_view text, size_t step) {
  std::vector<std::string> items;
  ListSplitter splitter([&](std::string_view item) -> Result<void> {
    items.emplace_back(item);
    return {};
  });
  Result<void> result;
  for (size_t at = 0; at < text.size() && result; at += step) result = splitter.feed(text.substr(at, step));
  if (result) result = splitter.finish();
  return {std::move(items), result.has_value()};
}

// The same items however the text is cut, and what JSON says they are where it is JSON.
void fuzz_list(std::string_view text) {
  const auto whole = split(text, text.size() + 1);
  for (size_t step : {size_t{1}, size_t{7}}) check(split(text, step) == whole);
  const auto parsed = parse_object(text);
  if (!parsed || !whole.second) return;
  size_t objects = 0;
  for (const json::value& v : array_at(*parsed, "items")) objects += v.is_object() ? 1 : 0;
  // A member that is named twice shows up twice in the text and once in the parsed object.
  if (text.find("items") == text.rfind("items") && text.find('\\') == std::string_view::npos) check(whole.first.size() == objects);
}

void fuzz_spec(std::string_view text) {
  const auto document = parse_object(text);
  if (!document) return;
  std::vector<std::string> problems;
  const BackupSpec spec = parse_backup_spec(*document, problems);
  check(parse_duration_ms(duration_text(spec.ttl_ms)) == spec.ttl_ms);
  Discovery discovery;
  (void)discovery.add_aggregated(text);
  const ResourceFilter filter(spec, discovery, {"here", "left-out"}, {"left-out"});
  for (const ApiResource& r : discovery.resources()) {
    (void)filter.collects(r);
    (void)filter.admits(r, "here");
    (void)r.path("a", "b");
  }
  (void)spec.labels.matches(*document);
  for (const BackupHooks& h : spec.hooks) {
    (void)h.scope.covers("here", *document);
    for (const ExecHook& e : h.pre) check(e.timeout_ms > 0);
  }
  (void)parse_restore_hooks(*document, problems);
  for (const HookPhase phase : {HookPhase::kPre, HookPhase::kPost}) {
    const auto hook = backup_hook_of(*document, phase, problems);
    check(!hook || hook->timeout_ms > 0);
  }
  (void)restore_hook_of(*document, problems);
  (void)init_container_of(*document, "name");
  for (const char* kind : {"pods", "persistentvolumeclaims", "serviceaccounts"}) {
    (void)related_items(kind, *document, {});
    (void)changed_for_backup(kind, *document, "b");
  }
}

// The same events however the text is cut.
void fuzz_events(std::string_view text) {
  const auto split_events = [&](size_t step) {
    std::vector<std::string> seen;
    const EventLines::OnEvent on_event = [&](WatchEvent event) -> Result<void> {
      seen.push_back(event.type + json::serialize(event.object));
      return {};
    };
    EventLines lines(on_event, 4096);
    Result<void> result;
    for (size_t at = 0; at < text.size() && result; at += step) result = lines.feed(text.substr(at, step));
    return seen;
  };
  if (text.size() <= 4096) check(split_events(text.size() + 1) == split_events(1));
}

// Whatever is due comes later, on a whole second, and stays what is due until then.
void fuzz_cron(std::string_view text) {
  const auto cron = Cron::parse(text);
  if (!cron) return;
  constexpr int64_t kNow = 1'780'000'000'123;
  const auto next = cron->next(kNow);
  if (!next) return;
  check(*next > kNow - 1000 && *next % 1000 == 0);
  if (!text.starts_with("@every")) check(cron->next(*next - 1) == next);
}

void fuzz_policies(std::string_view text) {
  const auto policies = ResourcePolicies::parse({{"data", json::object{{"p", text}}}});
  if (!policies) return;
  PolicyVolume volume;
  volume.take_volume({{"spec", json::object{{"capacity", json::object{{"storage", text.substr(0, 8)}}}, {"nfs", json::object{{"server", "s"}}}}}});
  (void)policies->skips(volume);
  check(policies->filters() == (policies->cluster_scoped().any() || policies->namespace_scoped().any()));
}

// Messages one a line: what is kept has a bound, and only the last one may end it.
void fuzz_exec(std::string_view text) {
  ExecReply reply;
  size_t fed = 0;
  for (bool ended = false; !text.empty() && !ended;) {
    const std::string_view message = text.substr(0, text.find('\n'));
    ended = reply.feed(message);
    check(ended == message.starts_with('\x03'));
    fed += message.size();
    text.remove_prefix(std::min(text.size(), message.size() + 1));
  }
  check(reply.output().out.size() + reply.output().err.size() <= std::min<size_t>(fed, 128 << 10));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 10) {
    case 0: {
      const auto access = parse_kubeconfig(text, "", [](const std::string&) -> Result<std::string> { return std::string("file"); });
      if (access) check(stored_text(*access_from_stored(stored_text(*access))) == stored_text(*access));
      break;
    }
    case 1: fuzz_list(text); break;
    case 2: fuzz_spec(text); break;
    case 3:
      (void)parse_exec_credential(text);
      (void)access_from_stored(text);
      (void)parse_duration_ms(text);
      break;
    case 4:
      (void)gunzip(text, 1 << 20);
      check(gunzip(gzip(text), size).value_or("?") == text);
      break;
    case 5: fuzz_cron(text); break;
    case 6: fuzz_events(text); break;
    case 8: fuzz_exec(text); break;
    case 9: fuzz_policies(text); break;
    case 7:
      if (const auto keys = parse_credentials_file(text, ""); keys) check(!keys->first.empty() && !keys->second.empty());
      break;
  }
  return 0;
}
