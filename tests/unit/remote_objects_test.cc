// A bucket elsewhere as a store: what backups and restores do with one gives the same as with one's own.
#include <gtest/gtest.h>

#include "k8s/bucket/directory.h"
#include "k8s/bucket/object_stream.h"
#include "storage/remote_objects.h"
#include "tests/support/memory_remote.h"

namespace holdfast::test {
namespace {

class RemoteObjectsTest : public testing::Test {
 protected:
  const std::shared_ptr<MemoryRemote> remote_ = std::make_shared<MemoryRemote>();
  const std::shared_ptr<ObjectStore> store_ = remote_objects(remote_);
  const std::string bucket_ = remote_->place().bucket;
};

TEST_F(RemoteObjectsTest, StreamsOfEverySizeComeBack) {
  for (const size_t size : {size_t{0}, size_t{5}, size_t{8} << 20, (size_t{17} << 20) + 3}) {
    std::string content(size, '\0');
    for (size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 31 >> 3);
    {
      k8s::ObjectStream dropped(*store_, bucket_, "key", "application/gzip");
      ASSERT_TRUE(dropped.append(as_bytes(content)));
    }
    EXPECT_EQ(Code::kNotFound, k8s::get_object(*store_, bucket_, "key", 1 << 30).error().code());
    k8s::ObjectStream stream(*store_, bucket_, "key", "application/gzip");
    ASSERT_TRUE(stream.append(as_bytes(content)));
    const auto written = stream.finish();
    ASSERT_TRUE(written) << written.error().message();
    EXPECT_EQ(size, written->size_bytes);
    EXPECT_TRUE(k8s::get_object(*store_, bucket_, "key", 1 << 30).value_or("?") == content);
    ASSERT_TRUE(store_->remove(bucket_, {{.key = "key"}})->front());
  }
  EXPECT_TRUE(store_->list_uploads(bucket_, {})->uploads.empty());
}

TEST_F(RemoteObjectsTest, PiecesOfAnObjectAreReadWhereverTheyAre) {
  std::string content((9 << 20) + 7, '\0');
  for (size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 7 >> 5);
  remote_->set("large", content);
  const auto reader = store_->get(bucket_, "large", {});
  ASSERT_TRUE(reader);
  for (const auto& [offset, size] : {std::pair<size_t, size_t>{0, 10}, {5, 100'000}, {(4 << 20) - 3, 9}, {8 << 20, (1 << 20) + 7}, {3, 6 << 20}, {content.size(), 0}}) {
    std::string piece(size, '?');
    ASSERT_TRUE((*reader)->read(offset, MutableByteSpan(reinterpret_cast<std::byte*>(piece.data()), size))) << offset;
    EXPECT_TRUE(piece == content.substr(offset, size)) << offset;
  }
  std::byte one;
  EXPECT_EQ(Code::kInvalidArgument, (*reader)->read(content.size(), MutableByteSpan(&one, 1)).error().code());
}

TEST_F(RemoteObjectsTest, ListsPageByPageAsOneOfOnesOwn) {
  std::vector<std::string> keys, names;
  for (int i = 0; i < 23; ++i) {
    const std::string name = "b" + std::to_string(100 + i);
    names.push_back(name);
    for (const char* file : {"/a", "/velero-backup.json"}) keys.push_back("clusters/c/backups/" + name + file);
  }
  for (const std::string& key : keys) remote_->set(key, key);
  remote_->set("clusters/d/x", "of another");
  const k8s::BackupPlace place{store_.get(), bucket_, "clusters/c/", store_};
  EXPECT_EQ(names, k8s::directories(place, "backups/").value());
  std::vector<std::string> listed;
  ListQuery query;
  query.prefix = "clusters/c/";
  for (;;) {
    const auto page = store_->list(bucket_, query);
    ASSERT_TRUE(page);
    for (const ObjectInfo& o : page->entries) listed.push_back(o.key);
    if (!page->truncated) break;
    query.after_key = page->next_key;
  }
  EXPECT_EQ(keys, listed);
  ASSERT_TRUE(k8s::remove_directory(place, "clusters/c/backups/b101/"));
  EXPECT_EQ(keys.size() - 2, remote_->keys("clusters/c/").size());
  ASSERT_TRUE(k8s::delete_leftovers(place, "b102"));
  EXPECT_EQ(keys.size() - 4, remote_->keys("clusters/c/").size());
}

TEST_F(RemoteObjectsTest, ConditionsHoldAndWhatThereIsNotIsSaid) {
  const auto put = [&](const std::string& body, WriteConditions conditions) -> Result<ObjectInfo> {
    HF_TRY(auto sink, store_->open_body(bucket_, body.size()));
    HF_CHECK(sink->append(as_bytes(body)));
    PutRequest request;
    request.bucket = bucket_;
    request.key = "k";
    request.conditions = std::move(conditions);
    return store_->put(std::move(request), std::move(sink));
  };
  WriteConditions only_new;
  only_new.if_none_match_any = true;
  const auto first = put("one", only_new);
  ASSERT_TRUE(first);
  EXPECT_EQ(Code::kFailedPrecondition, put("two", only_new).error().code());
  WriteConditions match;
  match.if_match = {first->etag};
  ASSERT_TRUE(put("three", match));
  EXPECT_EQ(Code::kFailedPrecondition, put("four", match).error().code());
  EXPECT_EQ("three", remote_->objects().at("k"));
  EXPECT_EQ(Code::kNotFound, store_->get("other", "k", {}).error().code());
  EXPECT_EQ(Code::kUnimplemented, store_->change_attributes(bucket_, "k", {}, {}).error().code());
  EXPECT_EQ(Code::kUnimplemented, store_->remove(bucket_, {{.key = "k", .version = {1, false}}})->front().error().code());
  auto sink = store_->open_body(bucket_, 3);
  ASSERT_TRUE(sink);
  EXPECT_EQ(Code::kInvalidArgument, (*sink)->append(as_bytes(std::string("four"))).error().code());
  EXPECT_EQ(Code::kInvalidArgument, store_->open_body(bucket_, 65 << 20).error().code());
}

TEST_F(RemoteObjectsTest, AnObjectThatWasReplacedIsNotReadOn) {
  remote_->set("k", "first");
  const auto reader = store_->get(bucket_, "k", {});
  ASSERT_TRUE(reader);
  remote_->set("k", "other");
  std::string piece(5, '?');
  EXPECT_EQ(Code::kFailedPrecondition, (*reader)->read(0, MutableByteSpan(reinterpret_cast<std::byte*>(piece.data()), 5)).error().code());
}

}  // namespace
}  // namespace holdfast::test
