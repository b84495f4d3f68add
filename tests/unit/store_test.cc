// The store through its public face, on a simulated device.
#include <gtest/gtest.h>

#include <future>

#include "storage/base/digest.h"
#include "storage/object/index_snapshot.h"

#include "tests/support/store_fixture.h"

namespace holdfast::test {
namespace {

// encrypted, prompt
class StoreTest : public ::testing::TestWithParam<std::tuple<bool, bool>> {
 protected:
  void SetUp() override {
    StoreOptions options;
    std::tie(options.encrypted, options.prompt) = GetParam();
    f = std::make_unique<StoreFixture>(options);
    ASSERT_TRUE(f->open());
  }
  std::vector<std::string> keys(ListQuery query = {}) {
    auto page = f->store().list("b", query);
    std::vector<std::string> out;
    if (!page) return {page.error().to_string()};
    for (const auto& e : page->entries) out.push_back(e.key);
    for (const auto& p : page->common_prefixes) out.push_back("<" + p + ">");
    return out;
  }
  std::unique_ptr<StoreFixture> f;
};

TEST_P(StoreTest, KeepsBodiesOfAllSizesAcrossReopenAndRebuild) {
  f->make_bucket("b");
  const std::vector<size_t> sizes = {0, 1, 4095, 4096, 16384, 16385, 65536, 65537, 200'000, 1'000'003};
  for (size_t n : sizes) ASSERT_TRUE(f->put("b", "k" + std::to_string(n), random_text(n, n))) << n;
  for (int round = 0; round < 3; ++round) {
    for (size_t n : sizes) {
      auto body = f->get("b", "k" + std::to_string(n));
      ASSERT_TRUE(body) << body.error().to_string();
      EXPECT_EQ(*body == random_text(n, n), true) << n;
    }
    f->close();
    if (round == 1) f->drop_index();
    auto opened = f->open();
    ASSERT_TRUE(opened) << opened.error().to_string();
    EXPECT_EQ(f->pool().read_only_reason(), "");
  }
}

// Of several small bodies at once, as they meet in groups (which fit into these small segments): each gets its own MD5 where its writer names none, and the one that is named.
TEST_P(StoreTest, WorksOutTheMd5OfSmallBodies) {
  f->make_bucket("b");
  constexpr size_t kBodies = 200, kAtOnce = 12;
  std::mt19937_64 random(7);
  std::vector<std::string> bodies(kBodies);
  std::vector<std::promise<Result<ObjectInfo>>> made(kBodies);
  std::vector<Result<ObjectInfo>> results(kBodies);
  for (size_t i = 0; i < kBodies; ++i) {
    bodies[i] = random_text(i, random() % 3 == 0 ? random() % 130 : random() % (16 << 10));
    auto sink = f->store().open_body_now("b", bodies[i].size());
    ASSERT_TRUE(sink);
    ASSERT_TRUE(sink->append(as_bytes(bodies[i])));
    PutRequest request;
    request.bucket = "b";
    request.key = "k" + std::to_string(i);
    if (i % 10 == 0) request.etag = "named";
    f->store().put_soon(std::move(request), std::move(sink), [&made, i](Result<ObjectInfo> result) { made[i].set_value(std::move(result)); });
    if (i >= kAtOnce) results[i - kAtOnce] = made[i - kAtOnce].get_future().get();
  }
  for (size_t i = kBodies - kAtOnce; i < kBodies; ++i) results[i] = made[i].get_future().get();
  const auto md5 = [&](size_t i) { return i % 10 == 0 ? "named" : hex(as_bytes(Digest::of(DigestKind::kMd5, as_bytes(bodies[i])))); };
  for (size_t i = 0; i < kBodies; ++i) {
    ASSERT_TRUE(results[i]) << results[i].error().to_string();
    EXPECT_EQ(md5(i), results[i]->etag) << i;
  }
  f->close();
  ASSERT_TRUE(f->open());
  for (size_t i = 0; i < kBodies; ++i) {
    auto reader = f->store().get("b", "k" + std::to_string(i), {});
    ASSERT_TRUE(reader);
    EXPECT_EQ(md5(i), (*reader)->info().etag) << i;
  }
}

TEST_P(StoreTest, ReadsAnyRange) {
  f->make_bucket("b");
  const std::string body = random_text(3, 700'000);
  ASSERT_TRUE(f->put("b", "k", body));
  auto reader = f->store().get("b", "k", {});
  ASSERT_TRUE(reader);
  std::mt19937_64 random(5);
  for (int i = 0; i < 200; ++i) {
    const size_t from = random() % body.size();
    const size_t n = random() % (body.size() - from + 1);
    std::string out(n, '\0');
    ASSERT_TRUE((*reader)->read(from, {reinterpret_cast<std::byte*>(out.data()), n}));
    ASSERT_TRUE(out == std::string_view(body).substr(from, n)) << from << "+" << n;
  }
}

TEST_P(StoreTest, OverwriteReplacesWithoutVersioning) {
  f->make_bucket("b");
  ASSERT_TRUE(f->put("b", "k", "one"));
  ASSERT_TRUE(f->put("b", "k", "two"));
  EXPECT_EQ(*f->get("b", "k"), "two");
  ListQuery all;
  all.all_versions = true;
  EXPECT_EQ(keys(all).size(), 1u);
  ASSERT_TRUE(f->remove("b", "k"));
  EXPECT_EQ(f->get("b", "k").error().subject(), Subject::kKey);
  EXPECT_TRUE(keys().empty());
}

TEST_P(StoreTest, VersionsMarkersAndPromotion) {
  f->make_bucket("b", Versioning::kEnabled);
  const auto v1 = f->put("b", "k", "one");
  const auto v2 = f->put("b", "k", random_text(1, 100'000));
  ASSERT_TRUE(v1 && v2);
  const auto marker = f->remove("b", "k");
  ASSERT_TRUE(marker);
  EXPECT_TRUE(marker->made_marker);
  EXPECT_EQ(f->get("b", "k").error().code(), Code::kNotFound);
  EXPECT_EQ(*f->get("b", "k", {v1->seq, false}), "one");
  ASSERT_TRUE(f->remove("b", "k", {marker->seq, false}));
  EXPECT_EQ(*f->get("b", "k"), random_text(1, 100'000));
  ASSERT_TRUE(f->remove("b", "k", {v2->seq, false}));
  EXPECT_EQ(*f->get("b", "k"), "one");
  ASSERT_TRUE(f->reopen());
  EXPECT_EQ(*f->get("b", "k"), "one");
}

TEST_P(StoreTest, SuspendedVersioningReplacesOnlyTheNullVersion) {
  f->make_bucket("b");
  ASSERT_TRUE(f->put("b", "k", "null one"));
  auto set = [&](Versioning v) {
    return f->store().change_bucket("b", [v](Bucket& b) -> Result<void> {
      b.versioning = v;
      return {};
    });
  };
  ASSERT_TRUE(set(Versioning::kEnabled));
  const auto v = f->put("b", "k", "kept");
  ASSERT_TRUE(v);
  EXPECT_EQ(*f->get("b", "k", {{}, true}), "null one");
  ASSERT_TRUE(set(Versioning::kSuspended));
  ASSERT_TRUE(f->put("b", "k", "null two"));
  EXPECT_EQ(*f->get("b", "k"), "null two");
  EXPECT_EQ(*f->get("b", "k", {v->seq, false}), "kept");
  ListQuery all;
  all.all_versions = true;
  EXPECT_EQ(keys(all).size(), 2u);
  EXPECT_FALSE(set(Versioning::kOff));
}

TEST_P(StoreTest, ConditionsAreDecidedWithTheWrite) {
  f->make_bucket("b");
  WriteConditions create;
  create.if_none_match_any = true;
  const auto made = f->put("b", "k", "one", create);
  ASSERT_TRUE(made);
  EXPECT_EQ(f->put("b", "k", "two", create).error().code(), Code::kFailedPrecondition);
  WriteConditions match;
  match.if_match = {made->etag};
  ASSERT_TRUE(f->put("b", "k", "three", match));
  EXPECT_EQ(f->put("b", "k", "four", match).error().code(), Code::kFailedPrecondition);
  EXPECT_EQ(f->put("b", "absent", "x", match).error().code(), Code::kNotFound);
  EXPECT_EQ(*f->get("b", "k"), "three");
}

TEST_P(StoreTest, LocksHoldInEveryWay) {
  f->make_bucket("b", Versioning::kEnabled, true);
  Attributes compliance;
  compliance.retention = {LockMode::kCompliance, f->clock().wall_ms() + 10'000};
  const auto v = f->put("b", "k", "kept", {}, compliance);
  ASSERT_TRUE(v);
  const VersionRef ref{v->seq, false};
  EXPECT_EQ(f->remove("b", "k", ref).error().subject(), Subject::kLock);
  EXPECT_EQ(f->remove("b", "k", ref, true).error().subject(), Subject::kLock);
  AttributeChange shorter;
  shorter.retention = Retention{LockMode::kCompliance, f->clock().wall_ms() + 5'000};
  shorter.bypass_governance = true;
  EXPECT_EQ(f->store().change_attributes("b", "k", ref, shorter).error().subject(), Subject::kLock);
  // Setting the host's clock does not help.
  f->clock().jump_wall(365LL * 24 * 3600 * 1000);
  EXPECT_FALSE(f->remove("b", "k", ref, true));
  f->clock().advance(10'001);
  AttributeChange hold;
  hold.legal_hold = true;
  ASSERT_TRUE(f->store().change_attributes("b", "k", ref, hold));
  EXPECT_EQ(f->remove("b", "k", ref).error().subject(), Subject::kLock);
  hold.legal_hold = false;
  ASSERT_TRUE(f->store().change_attributes("b", "k", ref, hold));
  EXPECT_TRUE(f->remove("b", "k", ref));
}

TEST_P(StoreTest, ListsByPrefixDelimiterAndPage) {
  f->make_bucket("b");
  for (const char* k : {"a", "d/1", "d/2", "d/e/3", "d0", "z//x", "z//y", "\xff", "\xff\xff"}) ASSERT_TRUE(f->put("b", k, "x"));
  ListQuery q;
  q.delimiter = "/";
  EXPECT_EQ(keys(q), (std::vector<std::string>{"a", "d0", "\xff", "\xff\xff", "<d/>", "<z/>"}));
  q.prefix = "d/";
  EXPECT_EQ(keys(q), (std::vector<std::string>{"d/1", "d/2", "<d/e/>"}));
  std::vector<std::string> paged;
  ListQuery p;
  p.delimiter = "/";
  p.max = 1;
  for (;;) {
    auto page = f->store().list("b", p);
    ASSERT_TRUE(page);
    for (const auto& e : page->entries) paged.push_back(e.key);
    for (const auto& c : page->common_prefixes) paged.push_back("<" + c + ">");
    if (!page->truncated) break;
    p.after_key = page->next_key;
  }
  EXPECT_EQ(paged, (std::vector<std::string>{"a", "<d/>", "d0", "<z/>", "\xff", "\xff\xff"}));
}

TEST_P(StoreTest, MultipartAssemblesRepeatsAndFrees) {
  f->make_bucket("b");
  UploadRequest request;
  request.bucket = "b";
  request.key = "big";
  auto upload = f->store().create_upload(request);
  ASSERT_TRUE(upload);
  std::string whole;
  CompleteRequest complete;
  complete.bucket = "b";
  complete.key = "big";
  complete.upload_id = upload->id;
  complete.min_part_bytes = 1000;
  for (uint32_t n : {1u, 2u, 5u, 9u}) {
    const std::string body = random_text(n, n == 9 ? 10 : 150'000);
    auto sink = f->store().open_body("b", body.size());
    ASSERT_TRUE(sink && (*sink)->append(as_bytes(body)));
    PartInfo info;
    info.number = n;
    info.etag = hex(as_bytes(Digest::of(DigestKind::kMd5, as_bytes(body))));
    auto part = f->store().put_part("b", "big", upload->id, info, std::move(*sink));
    ASSERT_TRUE(part) << part.error().to_string();
    if (n == 5) continue;  // left out
    whole += body;
    complete.parts.push_back({n, info.etag, {}});
  }
  auto wrong = complete;
  wrong.parts[0].etag = "00";
  EXPECT_EQ(f->store().complete_upload(wrong).error().subject(), Subject::kPart);
  std::swap(wrong.parts[0], wrong.parts[1]);
  EXPECT_EQ(f->store().complete_upload(wrong).error().subject(), Subject::kPartOrder);
  auto made = f->store().complete_upload(complete);
  ASSERT_TRUE(made) << made.error().to_string();
  EXPECT_TRUE(made->etag.ends_with("-3"));
  EXPECT_EQ(*f->get("b", "big"), whole);
  ASSERT_TRUE(f->reopen());
  auto again = f->store().complete_upload(complete);
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_EQ(again->seq, made->seq);
  EXPECT_EQ(*f->get("b", "big"), whole);
  ASSERT_TRUE(f->remove("b", "big"));
  ASSERT_TRUE(f->pool().settle());
  EXPECT_EQ(f->pool().volume().allocator->report().live_bulk_bytes, 0u);
  EXPECT_EQ(f->store().complete_upload(complete).error().subject(), Subject::kUpload);
}

TEST_P(StoreTest, BucketRules) {
  f->make_bucket("b");
  Bucket twice;
  twice.name = "b";
  EXPECT_EQ(f->store().create_bucket(twice, "").error().code(), Code::kAlreadyExists);
  ASSERT_TRUE(f->put("b", "k", "x"));
  EXPECT_EQ(f->store().delete_bucket("b").error().code(), Code::kFailedPrecondition);
  ASSERT_TRUE(f->remove("b", "k"));
  ASSERT_TRUE(f->store().delete_bucket("b"));
  EXPECT_EQ(f->put("b", "k", "x").error().subject(), Subject::kBucket);
  ASSERT_TRUE(f->reopen());
  EXPECT_TRUE(f->store().buckets().empty());
}

TEST_P(StoreTest, UsersSurviveWithTheirSecretsSealed) {
  User user;
  user.access_key = "AK";
  user.secret = "a very secret secret";
  user.role = Role::kAppendOnly;
  user.scopes = {"b/prefix"};
  ASSERT_TRUE(f->store().put_user(user));
  f->close();
  f->drop_index();
  if (std::get<0>(GetParam())) {
    const Bytes image = f->device().image();
    EXPECT_EQ(as_text(image).find("a very secret secret"), std::string_view::npos);
    EXPECT_EQ(as_text(image).find("b/prefix"), std::string_view::npos);
  }
  ASSERT_TRUE(f->open());
  const auto found = f->store().user("AK");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->secret, "a very secret secret");
  EXPECT_EQ(found->role, Role::kAppendOnly);
  EXPECT_EQ(found->scopes, user.scopes);
}

TEST_P(StoreTest, FullPoolRefusesPutsServesReadsAndRecoversByDeletes) {
  f->make_bucket("b");
  std::vector<std::string> stored;
  Result<ObjectInfo> last;
  for (int i = 0; i < 10'000; ++i) {
    last = f->put("b", "k" + std::to_string(i), random_text(static_cast<uint64_t>(i), 60'000));
    if (!last) break;
    stored.push_back("k" + std::to_string(i));
  }
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().code(), Code::kOutOfSpace);
  EXPECT_GT(stored.size(), 200u);
  EXPECT_EQ(*f->get("b", stored[0]), random_text(0, 60'000));
  for (const auto& key : stored) ASSERT_TRUE(f->remove("b", key)) << key;
  ASSERT_TRUE(f->pool().settle());
  EXPECT_TRUE(f->put("b", "again", random_text(1, 60'000)));
}

INSTANTIATE_TEST_SUITE_P(Encryption, StoreTest, ::testing::Combine(::testing::Bool(), ::testing::Bool()), [](const auto& info) {
  return std::string(std::get<0>(info.param) ? "encrypted" : "clear") + (std::get<1>(info.param) ? "Prompt" : "");
});

TEST(Store, ASnapshotIsGivenUpWhenThePoolCloses) {
  StoreFixture f;
  ASSERT_TRUE(f.open());
  f.make_bucket("b");
  ASSERT_TRUE(f.put("b", "k", "kept"));
  std::stop_source stop;
  stop.request_stop();
  const auto taken = take_snapshot(f.pool(), f.index_path() + ".scratch", stop.get_token());
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code(), Code::kUnavailable) << taken.error().to_string();
  EXPECT_FALSE(std::filesystem::exists(f.index_path() + ".scratch"));
  EXPECT_FALSE(std::filesystem::exists(f.index_path() + ".scratch.zst"));
  EXPECT_EQ(f.pool().snapshot_lsns()->first, 0u);
  ASSERT_TRUE(take_snapshot(f.pool(), f.index_path() + ".scratch"));
  EXPECT_GT(f.pool().snapshot_lsns()->first, 0u);
  EXPECT_EQ(*f.get("b", "k"), "kept");
}

// A daemon that dies right after each start, again and again.
TEST(Store, ManyOpeningsDoNotFillThePool) {
  for (const bool snapshots : {false, true}) {
    StoreOptions options;
    options.segments = 64;
    StoreFixture f(options);
    ASSERT_TRUE(f.open());
    f.make_bucket("b");
    ASSERT_TRUE(f.put("b", "k", "kept"));
    for (int i = 0; i < 200; ++i) {
      if (snapshots && i < 2) {
        ASSERT_TRUE(take_snapshot(f.pool(), f.index_path() + ".scratch"));
      }
      if (i % 50 == 49) f.drop_index();
      const auto opened = f.reopen();
      ASSERT_TRUE(opened) << "opening " << i << ": " << opened.error().to_string();
    }
    EXPECT_EQ(*f.get("b", "k"), "kept");
    ASSERT_TRUE(f.put("b", "more", random_text(1, 100'000)));
  }
}

}  // namespace
}  // namespace holdfast::test
