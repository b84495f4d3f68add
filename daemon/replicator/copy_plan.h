// What of a restore point has to be sent, in pieces of bounded size.
#pragma once

#include "daemon/replicator/copy_source.h"

namespace holdfast {

struct CopyPiece {
  uint32_t number = 0;  // of the part; 0: the object in one
  uint64_t offset_bytes = 0, size_bytes = 0;
  std::string etag;     // its MD5, where it is known
};

struct CopyObject {
  std::string name;     // relative to clusters/CLUSTER/
  ObjectInfo info;
  std::vector<CopyPiece> pieces;
  bool same_pieces = false;  // as at the source: then the site's ETag is to be the source's
  bool fixed = false;        // nothing else is ever written under its name
};

// Pieces as at the source where none is larger than this; larger objects go in parts.
inline constexpr uint64_t kLargestPieceBytes = 32 << 20;
inline constexpr uint64_t kPartBytes = 8 << 20;

// `listed` is from a list of the source's.
Result<CopyObject> plan_object(const CopySource& source, const ObjectInfo& listed);
// Of everything under `prefix`backups/NAME/. kNotFound: there is no velero-backup.json.
Result<std::vector<CopyObject>> plan_copy(const CopySource& source, const std::string& backup);
std::vector<CopyPiece> pieces_of(const ObjectInfo& info, bool& same);

}  // namespace holdfast
