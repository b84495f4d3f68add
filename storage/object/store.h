// The object store over one or several pools. A bucket lives in one pool; users and settings live in the first.
#pragma once

#include "storage/bucket_store.h"
#include "storage/object/pool.h"
#include "storage/object_store.h"
#include "storage/prompt_store.h"

namespace holdfast {

class StoreBody;

class Store final : public ObjectStore, public PromptStore, public BucketStore, public UserStore, public SettingsStore {
 public:
  // At least one pool; they outlive the store.
  explicit Store(std::vector<Pool*> pools) : pools_(std::move(pools)) {}

  Result<std::unique_ptr<BodySink>> open_body(const std::string& bucket, uint64_t size_bytes) override;
  Result<ObjectInfo> put(PutRequest request, std::unique_ptr<BodySink> body) override;
  Result<std::unique_ptr<ObjectReader>> get(const std::string& bucket, const std::string& key,
                                            const VersionRef& version) override;
  std::optional<Result<std::unique_ptr<ObjectReader>>> get_now(const std::string& bucket, const std::string& key,
                                                               const VersionRef& version) override;
  std::unique_ptr<BodySink> open_body_now(const std::string& bucket, uint64_t size_bytes) override;
  void put_soon(PutRequest request, std::unique_ptr<BodySink> body, PutDone done) override;
  Result<std::vector<Result<RemoveResult>>> remove(const std::string& bucket,
                                                   std::vector<RemoveRequest> requests) override;
  Result<ObjectInfo> change_attributes(const std::string& bucket, const std::string& key, const VersionRef& version,
                                       AttributeChange change) override;
  Result<ListPage> list(const std::string& bucket, ListQuery query) override;

  Result<Upload> create_upload(UploadRequest request) override;
  Result<PartInfo> put_part(const std::string& bucket, const std::string& key, const std::string& upload_id,
                            PartInfo info, std::unique_ptr<BodySink> body) override;
  Result<ObjectInfo> complete_upload(CompleteRequest request) override;
  Result<Upload> upload(const std::string& bucket, const std::string& key, const std::string& upload_id) override;
  Result<void> abort_upload(const std::string& bucket, const std::string& key, const std::string& upload_id) override;
  Result<UploadPage> list_uploads(const std::string& bucket, UploadQuery query) override;
  Result<PartsPage> list_parts(const std::string& bucket, const std::string& key, const std::string& upload_id,
                               uint32_t after, uint32_t max) override;

  std::vector<Bucket> buckets() const override;
  Result<Bucket> bucket(const std::string& name) const override;
  Result<Bucket> create_bucket(Bucket bucket, const std::string& pool) override;
  Result<Bucket> change_bucket(const std::string& name, std::function<Result<void>(Bucket&)> change) override;
  Result<void> delete_bucket(const std::string& name) override;

  std::vector<User> users() const override;
  std::optional<User> user(const std::string& access_key) const override;
  Result<void> put_user(User user) override;
  Result<void> remove_user(const std::string& access_key) override;

  Result<std::string> setting(const std::string& name) const override;
  std::vector<std::string> setting_names(const std::string& prefix) const override;
  Result<void> put_setting(const std::string& name, const std::string& text) override;

  const std::vector<Pool*>& pools() const { return pools_; }

 private:
  struct Place {
    Pool* pool;
    Catalog::BucketPtr bucket;
  };
  Result<Place> find(const std::string& bucket) const;
  Result<std::unique_ptr<ObjectReader>> get(const std::string& bucket, const std::string& key, const VersionRef& version,
                                            Index::Patience patience);
  struct Putting;
  static Result<CommitRequest> commit_of(std::shared_ptr<Putting> putting, StoreBody& body);

  std::vector<Pool*> pools_;
};

}  // namespace holdfast
