#include "daemon/replicator/copy_plan.h"

#include <algorithm>

namespace holdfast {

std::vector<CopyPiece> pieces_of(const ObjectInfo& info, bool& same) {
  const auto small = [](const PartInfo& p) { return p.size_bytes <= kLargestPieceBytes; };
  std::vector<CopyPiece> pieces;
  same = true;
  uint64_t offset = 0;
  if (info.parts.empty() && info.size_bytes <= kLargestPieceBytes) return {{0, 0, info.size_bytes, info.etag}};
  if (!info.parts.empty() && std::all_of(info.parts.begin(), info.parts.end(), small)) {
    // Numbers may have gaps; their order and sizes make the ETag.
    for (const PartInfo& p : info.parts) {
      pieces.push_back({static_cast<uint32_t>(pieces.size() + 1), offset, p.size_bytes, p.etag});
      offset += p.size_bytes;
    }
    return pieces;
  }
  same = false;
  for (; offset < info.size_bytes; offset += kPartBytes) {
    pieces.push_back({static_cast<uint32_t>(pieces.size() + 1), offset, std::min(kPartBytes, info.size_bytes - offset), ""});
  }
  return pieces;
}

Result<CopyObject> plan_object(const CopySource& source, const ObjectInfo& listed) {
  CopyObject object;
  object.name = listed.key.substr(source.prefix.size());
  object.info = listed;
  // Lists do not say which parts an object has; its ETag says that it has some.
  if (listed.etag.find('-') != std::string::npos) {
    HF_TRY(const auto reader, source.store->get(source.bucket, listed.key, {}));
    object.info = reader->info();
  }
  object.pieces = pieces_of(object.info, object.same_pieces);
  return object;
}

Result<std::vector<CopyObject>> plan_copy(const CopySource& source, const std::string& backup) {
  std::vector<CopyObject> objects;
  ListQuery query;
  query.prefix = source.prefix + "backups/" + backup + "/";
  for (;;) {
    HF_TRY(const ListPage page, source.store->list(source.bucket, query));
    for (const ObjectInfo& o : page.entries) {
      HF_TRY(CopyObject object, plan_object(source, o));
      objects.push_back(std::move(object));
    }
    if (!page.truncated) break;
    query.after_key = page.next_key;
  }
  const std::string document = "backups/" + backup + "/velero-backup.json";
  if (std::none_of(objects.begin(), objects.end(), [&](const CopyObject& o) { return o.name == document; })) {
    return error(Code::kNotFound, "there is no backup \"" + backup + "\" in " + source.bucket + "/" + source.prefix);
  }
  return objects;
}

}  // namespace holdfast
