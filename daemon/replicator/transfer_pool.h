// Sends objects to a site with many transfers side by side, in bounded memory.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>

#include "daemon/replicator/copy_plan.h"
#include "storage/remote_store.h"

namespace holdfast {

// One use each.
class TransferPool {
 public:
  // `unfinished`: uploads at the site that may be gone on with, by key.
  TransferPool(const CopySource& source, RemoteStore& site, std::string site_prefix, std::map<std::string, std::string> unfinished, CopyLimits limits, CopyProgress& progress,
               const std::stop_token& stop)
      : source_(source), site_(site), site_prefix_(std::move(site_prefix)), unfinished_(std::move(unfinished)), limits_(limits), progress_(progress), stop_(stop) {}

  // Blocks until all of them are there, or one cannot be sent.
  Result<void> send(const std::vector<const CopyObject*>& objects);
  // The ETags that the site gave for what it took, by name.
  const std::map<std::string, std::string>& sent() const { return sent_; }

 private:
  // An object that is sent in parts.
  struct Upload {
    const CopyObject* object;
    std::string key, id;
    std::vector<RemotePart> done;  // by number; an empty ETag: not yet
    size_t left = 0;
  };
  struct Task {
    std::shared_ptr<Upload> upload;
    size_t piece = 0;
  };
  class Reservation;

  void work();
  Result<void> begin(const CopyObject& object);
  Result<void> begin_upload(const CopyObject& object, const std::string& key);
  Result<void> send_part(const Task& task);
  Result<void> complete(Upload& upload);
  Result<void> confirm(const CopyObject& object, const std::string& etag);
  Result<std::string> read(const CopyObject& object, const CopyPiece& piece) const;
  void count(const CopyPiece& piece) { progress_.bytes_done += piece.size_bytes; }
  void remember(const CopyObject& object, const std::string& etag);
  void fail(Status status);

  const CopySource& source_;
  RemoteStore& site_;
  const std::string site_prefix_;
  const std::map<std::string, std::string> unfinished_;
  const CopyLimits limits_;
  CopyProgress& progress_;
  const std::stop_token stop_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<const CopyObject*> objects_;
  std::deque<Task> tasks_;
  unsigned beginning_ = 0;  // objects that may bring further tasks
  uint64_t reserved_bytes_ = 0;
  std::optional<Status> failed_;
  std::map<std::string, std::string> sent_;
};

}  // namespace holdfast
