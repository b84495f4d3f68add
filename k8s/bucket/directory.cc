#include "k8s/bucket/directory.h"

namespace holdfast::k8s {

namespace {

Result<void> remove_keys(const BackupPlace& place, std::vector<RemoveRequest> requests) {
  HF_TRY(const auto results, place.store->remove(place.bucket, std::move(requests)));
  for (const auto& r : results) {
    if (!r) return std::unexpected(r.error());
  }
  return {};
}

}  // namespace

Result<std::vector<std::string>> directories(const BackupPlace& place, const std::string& root) {
  std::vector<std::string> out;
  ListQuery query;
  query.prefix = place.prefix + root;
  query.delimiter = "/";
  for (;;) {
    HF_TRY(const ListPage page, place.store->list(place.bucket, query));
    for (const std::string& directory : page.common_prefixes) {
      out.push_back(directory.substr(query.prefix.size(), directory.size() - query.prefix.size() - 1));
    }
    if (!page.truncated) return out;
    query.after_key = page.next_key;
  }
}

Result<void> remove_object(const BackupPlace& place, const std::string& key) {
  RemoveRequest request;
  request.key = key;
  return remove_keys(place, {request});
}

Result<void> remove_directory(const BackupPlace& place, const std::string& key) {
  UploadQuery uploads;
  uploads.prefix = key;
  HF_TRY(const UploadPage unfinished, place.store->list_uploads(place.bucket, uploads));
  for (const Upload& u : unfinished.uploads) HF_CHECK(place.store->abort_upload(place.bucket, u.key, u.id));
  ListQuery query;
  query.prefix = key;
  for (;;) {
    HF_TRY(const ListPage page, place.store->list(place.bucket, query));
    std::vector<RemoveRequest> requests;
    for (const ObjectInfo& o : page.entries) {
      RemoveRequest r;
      r.key = o.key;
      requests.push_back(std::move(r));
    }
    if (!requests.empty()) HF_CHECK(remove_keys(place, std::move(requests)));
    if (!page.truncated) return {};
    query.after_key = page.next_key;
  }
}

}  // namespace holdfast::k8s
