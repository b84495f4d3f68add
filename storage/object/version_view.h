// One answer about the versions of a key out of the index and what is not in it yet.
#pragma once

#include "storage/object/overlay.h"

namespace holdfast {

// `forming`, if any, is the group that the committer is deciding: only the committer may see it. The caller holds
// a pin on overlay.readers() (the committer needs none: it is the one who adds).
class VersionView {
 public:
  VersionView(Index& index, const Overlay& overlay, const Overlay* forming, Index::Patience patience = Index::Patience::kWaits)
      : index_(index), overlay_(overlay), forming_(forming), patience_(patience) {}

  // Null pointer: there is none.
  Result<VersionPtr> latest(BucketId bucket, const std::string& key) const;
  Result<VersionPtr> null_version(BucketId bucket, const std::string& key) const;
  Result<VersionPtr> version(BucketId bucket, const std::string& key, VersionSeq seq) const;

 private:
  KeyChanges changes(BucketId bucket, const std::string& key) const;

  Index& index_;
  const Overlay& overlay_;
  const Overlay* forming_;
  const Index::Patience patience_;
};

}  // namespace holdfast
