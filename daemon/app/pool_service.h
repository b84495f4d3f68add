// The pools as the admin API sees them.
#pragma once

#include "daemon/services.h"
#include "storage/object/scrub.h"
#include "storage/object/store.h"

namespace holdfast {

class LocalPools final : public PoolService {
 public:
  explicit LocalPools(Store& store);

  std::vector<PoolStatus> pools() const override;
  Result<void> start_scrub(const std::string& pool) override;
  Result<ScrubStatus> scrub_status(const std::string& pool) const override;
  Result<void> take_snapshot(const std::string& pool) override;
  Result<void> confirm_time(const std::string& pool) override;
  Result<BucketUsage> usage(const std::string& bucket) const override;
  bool ready() const;

 private:
  Result<size_t> find(const std::string& pool) const;
  Store& store_;
  std::vector<std::unique_ptr<Scrubber>> scrubbers_;
};

}  // namespace holdfast
