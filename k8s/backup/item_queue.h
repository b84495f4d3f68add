// Hands raw objects from the thread that lists them to the one that writes the archive.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "k8s/client/api_resource.h"
#include "storage/base/status.h"

namespace holdfast::k8s {

struct RawItems {
  const ApiResource* resource = nullptr;
  std::vector<std::string> items;
  bool ordered = false;  // the backup's spec names them, in this order
};

// Thread-safe; one producer, one consumer. Holds about 8 MiB.
class ItemQueue {
 public:
  // Waits for room. kUnavailable once the consumer has given up.
  Result<void> push(const ApiResource& resource, std::string_view item, bool ordered = false);
  // What is gathered goes out; nothing more comes.
  void finish();
  // Waits for items; nullopt at the end.
  std::optional<RawItems> pop();
  // The consumer takes no more.
  void abandon();
  bool abandoned();

 private:
  void hand_over(std::unique_lock<std::mutex>& lock);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<RawItems> batches_;
  RawItems gathered_;
  size_t gathered_bytes_ = 0, queued_bytes_ = 0;
  bool finished_ = false, abandoned_ = false;
};

}  // namespace holdfast::k8s
