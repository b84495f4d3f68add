#include "k8s/backup/item_queue.h"

namespace holdfast::k8s {

namespace {

constexpr size_t kBatchBytes = 256 << 10;
constexpr size_t kMaxQueuedBytes = 8 << 20;

size_t bytes_of(const RawItems& batch) {
  size_t n = 0;
  for (const std::string& item : batch.items) n += item.size();
  return n;
}

}  // namespace

void ItemQueue::hand_over(std::unique_lock<std::mutex>& lock) {
  if (gathered_.items.empty()) return;
  changed_.wait(lock, [&] { return abandoned_ || queued_bytes_ < kMaxQueuedBytes; });
  queued_bytes_ += gathered_bytes_;
  batches_.push_back(std::move(gathered_));
  gathered_ = {};
  gathered_bytes_ = 0;
  changed_.notify_all();
}

Result<void> ItemQueue::push(const ApiResource& resource, std::string_view item, bool ordered) {
  std::unique_lock lock(mutex_);
  if (gathered_.resource != &resource || gathered_.ordered != ordered || gathered_bytes_ >= kBatchBytes) hand_over(lock);
  if (abandoned_) return error(Code::kUnavailable, "the backup has ended");
  gathered_.resource = &resource;
  gathered_.ordered = ordered;
  gathered_.items.emplace_back(item);
  gathered_bytes_ += item.size();
  return {};
}

void ItemQueue::finish() {
  std::unique_lock lock(mutex_);
  hand_over(lock);
  finished_ = true;
  changed_.notify_all();
}

std::optional<RawItems> ItemQueue::pop() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return finished_ || !batches_.empty(); });
  if (batches_.empty()) return std::nullopt;
  RawItems batch = std::move(batches_.front());
  batches_.pop_front();
  queued_bytes_ -= bytes_of(batch);
  changed_.notify_all();
  return batch;
}

bool ItemQueue::abandoned() {
  std::lock_guard lock(mutex_);
  return abandoned_;
}

void ItemQueue::abandon() {
  std::lock_guard lock(mutex_);
  abandoned_ = true;
  changed_.notify_all();
}

}  // namespace holdfast::k8s
