// The parts of the server behind velero.io objects that need no cluster.
#include <gtest/gtest.h>

#include <thread>

#include "k8s/client/event_lines.h"
#include "k8s/cron.h"
#include "k8s/spec/credentials_file.h"
#include "k8s/velero/definitions.h"
#include "k8s/velero/request_controllers.h"
#include "k8s/velero/schedule_controller.h"
#include "k8s/velero/work_queue.h"
#include "storage/base/times.h"
#include "storage/net/presign.h"

namespace holdfast::k8s {
namespace {

std::string next(const char* cron, const char* after) {
  const auto parsed = Cron::parse(cron);
  if (!parsed) return parsed.error().message();
  const auto due = parsed->next(*parse_iso8601(after));
  return due ? rfc3339(*due) : "never";
}

TEST(CronTest, SaysWhenAScheduleIsDueNext) {
  EXPECT_EQ("2026-11-21T10:15:00Z", next("*/15 * * * *", "2026-11-21T10:00:00Z"));
  EXPECT_EQ("2026-11-21T10:15:00Z", next("*/15 * * * *", "2026-11-21T10:14:59Z"));
  EXPECT_EQ("2026-11-22T02:30:00Z", next("30 2 * * *", "2026-11-21T10:00:00Z"));
  EXPECT_EQ("2026-11-23T00:00:00Z", next("0 0 * * MON", "2026-11-21T10:00:00Z"));
  EXPECT_EQ("2028-02-29T12:00:00Z", next("0 12 29 feb *", "2026-11-21T10:00:00Z"));
  EXPECT_EQ("2027-01-01T00:00:00Z", next("@yearly", "2026-11-21T10:00:00Z"));
  EXPECT_EQ("2026-11-22T00:00:00Z", next("@weekly", "2026-11-21T10:00:00Z"));
  EXPECT_EQ("2026-11-21T10:05:00Z", next("5/20 * * * ?", "2026-11-21T10:00:00Z"));
  EXPECT_EQ("never", next("0 0 30 2 *", "2026-11-21T10:00:00Z"));
  // Of day of month and day of week either will do, unless one of them is a star.
  EXPECT_EQ("2026-11-23T00:00:00Z", next("0 0 15 * 1", "2026-11-21T10:00:00Z"));
  EXPECT_EQ("2026-12-15T00:00:00Z", next("0 0 15 * *", "2026-11-21T10:00:00Z"));
  EXPECT_EQ("2026-11-21T11:30:00Z", next("@every 1h30m", "2026-11-21T10:00:00Z"));
  EXPECT_EQ("2026-11-21T10:00:01Z", next("@every 10ms", "2026-11-21T10:00:00Z"));
}

TEST(CronTest, InATimeZone) {
  EXPECT_EQ("2026-11-22T01:30:00Z", next("TZ=Europe/Paris 30 2 * * *", "2026-11-21T10:00:00Z"));
  EXPECT_EQ("2026-07-22T00:30:00Z", next("CRON_TZ=Europe/Paris  30 2 * * *", "2026-07-21T10:00:00Z"));
  EXPECT_EQ("2026-11-21T18:30:00Z", next("TZ=Asia/Kolkata 0 0 22 11 *", "2026-11-21T10:00:00Z"));
  EXPECT_EQ("2026-11-21T23:00:00Z", next("TZ=Europe/Paris @daily", "2026-11-21T10:00:00Z"));
  EXPECT_EQ("2026-11-21T11:00:00Z", next("TZ=Europe/Paris @every 1h", "2026-11-21T10:00:00Z"));
}

TEST(CronTest, WhenClocksAreChanged) {
  // 2026-03-29: from 02:00 to 03:00 at 01:00 UTC. 2026-10-25: from 03:00 to 02:00 at 01:00 UTC.
  const char* daily = "TZ=Europe/Berlin 30 2 * * *";
  EXPECT_EQ("2026-03-29T01:00:00Z", next(daily, "2026-03-28T12:00:00Z"));
  EXPECT_EQ("2026-03-30T00:30:00Z", next(daily, "2026-03-29T01:00:00Z"));
  EXPECT_EQ("2026-10-25T00:30:00Z", next(daily, "2026-10-24T12:00:00Z"));
  EXPECT_EQ("2026-10-26T01:30:00Z", next(daily, "2026-10-25T00:30:00Z"));
  const char* often = "TZ=Europe/Berlin 0,30 * * * *";
  EXPECT_EQ("2026-10-25T00:30:00Z", next(often, "2026-10-25T00:00:00Z"));
  EXPECT_EQ("2026-10-25T01:00:00Z", next(often, "2026-10-25T00:30:00Z"));
  EXPECT_EQ("2026-10-25T01:30:00Z", next(often, "2026-10-25T01:00:00Z"));
  EXPECT_EQ("2026-10-25T02:00:00Z", next(often, "2026-10-25T01:30:00Z"));
  EXPECT_EQ("2026-03-29T01:00:00Z", next(often, "2026-03-29T00:30:00Z"));
  EXPECT_EQ("2026-03-29T01:30:00Z", next(often, "2026-03-29T01:00:00Z"));
}

// Every quarter of an hour of two years, in zones with odd rules: each run of a day comes once, in order.
TEST(CronTest, OnceADayWhateverTheClocksDo) {
  for (const char* zone : {"Europe/London", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "America/Santiago", "Asia/Beirut"}) {
    const auto cron = Cron::parse("TZ=" + std::string(zone) + " 30 2 * * *");
    ASSERT_TRUE(cron) << zone;
    int64_t at = *parse_iso8601("2026-01-01T12:00:00Z");
    const int64_t end = *parse_iso8601("2028-01-01T12:00:00Z");
    int runs = 0;
    for (std::optional<int64_t> due = cron->next(at); due && *due <= end; due = cron->next(at), ++runs) {
      ASSERT_GT(*due, at) << zone;
      ASSERT_GT(*due - at, runs == 0 ? 0 : 22LL * 3'600'000) << zone << " " << rfc3339(*due);
      at = *due;
    }
    EXPECT_EQ(730, runs) << zone;
  }
}

TEST(CronTest, WhatIsNoneIsNamed) {
  EXPECT_EQ("expected exactly 5 fields, found 4", next("* * * *", "2026-11-21T10:00:00Z"));
  EXPECT_EQ("\"61\" is no minute: it must lie within 0 and 59", next("61 * * * *", "2026-11-21T10:00:00Z"));
  EXPECT_EQ("\"7\" is no day of week: it must lie within 0 and 6", next("* * * * 7", "2026-11-21T10:00:00Z"));
  EXPECT_EQ("\"5-1\" is no hour: it must lie within 0 and 23", next("* 5-1 * * *", "2026-11-21T10:00:00Z"));
  EXPECT_EQ("\"*/0\" is no minute: a step of 0", next("*/0 * * * *", "2026-11-21T10:00:00Z"));
  EXPECT_EQ("\"x\" is no month: \"x\" is no number", next("* * * x *", "2026-11-21T10:00:00Z"));
  EXPECT_EQ("\",\" is no minute: nothing is in it", next(", * * * *", "2026-11-21T10:00:00Z"));
  EXPECT_EQ("unrecognized descriptor: @often", next("@often", "2026-11-21T10:00:00Z"));
  EXPECT_EQ("\"soon\" is no duration", next("@every soon", "2026-11-21T10:00:00Z"));
  EXPECT_EQ("there is no time zone \"Europe/Atlantis\"", next("TZ=Europe/Atlantis 0 0 * * *", "2026-11-21T10:00:00Z"));
  EXPECT_EQ("there is no time zone \"../../../etc/passwd\"", next("TZ=../../../etc/passwd 0 0 * * *", "2026-11-21T10:00:00Z"));
  EXPECT_EQ("there is nothing behind the time zone", next("TZ=Europe/Paris", "2026-11-21T10:00:00Z"));
  EXPECT_FALSE(Cron::parse(std::string(5000, '*')));
}

TEST(Schedules, MakeABackupObject) {
  const json::object schedule = object_or_empty(R"({"metadata":{"name":"daily","namespace":"velero","uid":"u1","labels":{"of":"schedule"},"annotations":{"a":"b",
      "kubectl.kubernetes.io/last-applied-configuration":"x"}},"spec":{"template":{"includedNamespaces":["shop"]},"useOwnerReferencesInBackup":true}})");
  const json::object backup = scheduled_backup(schedule, *parse_iso8601("2026-01-02T03:04:05Z"));
  EXPECT_EQ(object_or_empty(R"({"name":"daily-20260102030405","namespace":"velero","labels":{"of":"schedule","velero.io/schedule-name":"daily"},"annotations":{"a":"b"},
      "ownerReferences":[{"apiVersion":"velero.io/v1","kind":"Schedule","name":"daily","uid":"u1","controller":true}]})"),
            backup.at("metadata").as_object());
  EXPECT_EQ(object_or_empty(R"({"includedNamespaces":["shop"]})"), backup.at("spec").as_object());
  json::object labelled = schedule;
  labelled["spec"].as_object()["template"].as_object()["metadata"] = object_or_empty(R"({"labels":{"of":"template"}})");
  EXPECT_EQ("template", scheduled_backup(labelled, 0).at("metadata").at("labels").at("of").as_string());
}

TEST(Credentials, OfALocation) {
  const char* file = "# mine\n[default]\naws_access_key_id = HF1 \r\n aws_secret_access_key=a=b\n[other]\nAWS_ACCESS_KEY_ID=HF2\naws_secret_access_key=c\n";
  EXPECT_EQ((std::pair<std::string, std::string>("HF1", "a=b")), parse_credentials_file(file, "").value());
  EXPECT_EQ((std::pair<std::string, std::string>("HF2", "c")), parse_credentials_file(file, "other").value());
  EXPECT_EQ("it has no aws_access_key_id and aws_secret_access_key of profile \"none\"", parse_credentials_file(file, "none").error().message());
  EXPECT_FALSE(parse_credentials_file("", ""));
}

TEST(Downloads, LieWhereVeleroLooksForThem) {
  const BackupPlace place{nullptr, "b", "clusters/prod/"};
  EXPECT_EQ("clusters/prod/backups/b1/b1-logs.gz", download_key(place, "BackupLog", "b1"));
  EXPECT_EQ("clusters/prod/backups/b1/b1.tar.gz", download_key(place, "BackupContents", "b1"));
  EXPECT_EQ("clusters/prod/restores/r1/restore-r1-results.gz", download_key(place, "RestoreResults", "r1"));
  EXPECT_EQ("clusters/prod/restores/r1/r1-volumeinfo.json.gz", download_key(place, "RestoreVolumeInfo", "r1"));
  EXPECT_EQ("", download_key(place, "Everything", "b1"));
  EXPECT_EQ("", download_key(place, "BackupLog", "../../other/backups/b1/x"));
}

TEST(Definitions, HaveNoStatusSubresourceAndKeepWhatTheyDoNotKnow) {
  const auto all = velero_definitions();
  ASSERT_EQ(13u, all.size());
  for (const json::object& d : all) {
    const json::object& version = d.at("spec").at("versions").at(0).as_object();
    EXPECT_FALSE(version.contains("subresources"));
    const json::object& schema = version.at("schema").at("openAPIV3Schema").as_object();
    for (const char* part : {"spec", "status"}) EXPECT_TRUE(schema.at("properties").at(part).at("x-kubernetes-preserve-unknown-fields").as_bool());
  }
}

TEST(WorkQueueTest, EachThingOnceAndTheSoonestFirst) {
  ManualClock clock(0);
  WorkQueue<std::string> queue(clock);
  std::stop_source stop;
  queue.add("late", std::chrono::milliseconds(500));
  queue.add("now");
  queue.add("now", std::chrono::milliseconds(900));   // is due sooner already
  queue.add("late", std::chrono::milliseconds(100));  // comes forward
  EXPECT_EQ("now", queue.next(stop.get_token()).value());
  clock.advance(100);
  EXPECT_EQ("late", queue.next(stop.get_token()).value());
  // Nothing is left: it waits until something comes, or it is stopped.
  std::thread adds([&] { queue.add("more"); });
  EXPECT_EQ("more", queue.next(stop.get_token()).value());
  adds.join();
  std::thread stops([&] { stop.request_stop(); });
  EXPECT_FALSE(queue.next(stop.get_token()));
  stops.join();
}

TEST(WatchEvents, AreLines) {
  std::vector<std::string> seen;
  const EventLines::OnEvent on_event = [&](WatchEvent e) -> Result<void> {
    seen.push_back(e.type + " " + text_at(object_at(e.object, "metadata"), "name"));
    return {};
  };
  EventLines lines(on_event, 200);
  const std::string text = "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"a\"}}}\n\n{\"type\":\"DELETED\",\"object\":{\"metadata\":{\"name\":\"b\"}}}\n";
  for (const char c : text) ASSERT_TRUE(lines.feed(std::string(1, c)));
  EXPECT_EQ((std::vector<std::string>{"ADDED a", "DELETED b"}), seen);
  const auto expired = lines.feed("{\"type\":\"ERROR\",\"object\":{\"code\":410,\"message\":\"too old\"}}\n");
  ASSERT_FALSE(expired);
  EXPECT_TRUE(expired.error().is(Code::kFailedPrecondition, Subject::kVersion));
  EXPECT_EQ(Code::kCorrupt, EventLines(on_event).feed("no event\n").error().code());
  EXPECT_EQ(Code::kInvalidArgument, EventLines(on_event, 10).feed("{\"type\":\"ADDED").error().code());
}

// That servers accept them is shown with the gateway, in tests/e2e/velero_cli_test.py.
TEST(Presigning, SaysEverythingInTheUrlButTheSecret) {
  const PresignRequest request{"https://storage:9000", "holdfast", "clusters/a b/x", "HFKEY", "secret", "us-east-1", *parse_iso8601("2026-01-02T03:04:05Z"), std::chrono::seconds(600)};
  const std::string url = presigned_url(request);
  EXPECT_TRUE(url.starts_with("https://storage:9000/holdfast/clusters/a%20b/x?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=HFKEY%2F20260102%2Fus-east-1%2Fs3%2Faws4_request&"
                              "X-Amz-Date=20260102T030405Z&X-Amz-Expires=600&X-Amz-SignedHeaders=host&X-Amz-Signature=")) << url;
  EXPECT_EQ(64u, url.size() - url.rfind('=') - 1);
  EXPECT_EQ(std::string::npos, url.find("secret"));
}

}  // namespace
}  // namespace holdfast::k8s
