// An object store that can only be read.
#pragma once

#include "storage/object_store.h"

namespace holdfast {

// Refuses every write, and looks at uploads, with kFailedPrecondition and this reason.
class ReadOnlyObjects : public ObjectStore {
 public:
  explicit ReadOnlyObjects(std::string why) : why_(std::move(why)) {}

  Result<std::unique_ptr<BodySink>> open_body(const std::string&, uint64_t) override { return no(); }
  Result<ObjectInfo> put(PutRequest, std::unique_ptr<BodySink>) override { return no(); }
  Result<std::vector<Result<RemoveResult>>> remove(const std::string&, std::vector<RemoveRequest>) override { return no(); }
  Result<ObjectInfo> change_attributes(const std::string&, const std::string&, const VersionRef&, AttributeChange) override { return no(); }
  Result<Upload> create_upload(UploadRequest) override { return no(); }
  Result<PartInfo> put_part(const std::string&, const std::string&, const std::string&, PartInfo, std::unique_ptr<BodySink>) override { return no(); }
  Result<ObjectInfo> complete_upload(CompleteRequest) override { return no(); }
  Result<Upload> upload(const std::string&, const std::string&, const std::string&) override { return no(); }
  Result<void> abort_upload(const std::string&, const std::string&, const std::string&) override { return no(); }
  Result<UploadPage> list_uploads(const std::string&, UploadQuery) override { return no(); }
  Result<PartsPage> list_parts(const std::string&, const std::string&, const std::string&, uint32_t, uint32_t) override { return no(); }

 private:
  std::unexpected<Status> no() const { return error(Code::kFailedPrecondition, why_); }
  const std::string why_;
};

}  // namespace holdfast
