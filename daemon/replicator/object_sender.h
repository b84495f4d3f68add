// Sends what a site lacks of a set of objects, and sees it there.
#pragma once

#include <functional>
#include <map>
#include <stop_token>

#include "daemon/replicator/copy_plan.h"
#include "storage/remote_store.h"

namespace holdfast {

// For objects whose keys at the site are `site_prefix` and their names. Not thread-safe.
class ObjectSender {
 public:
  using There = std::map<std::string, RemoteObject>;  // by key

  ObjectSender(const CopySource& source, RemoteStore& site, std::string site_prefix, CopyLimits limits, CopyProgress& progress, const std::stop_token& stop)
      : source_(source), site_(site), site_prefix_(std::move(site_prefix)), limits_(limits), progress_(progress), stop_(stop) {}

  // Blocks until all of them are listed at the site under `list_prefix`, twice sent at most: a site may say that it has something,
  // and lose it. `on_look`, once, before anything is sent: what is there, and whether nothing is missing.
  Result<void> send_missing(const std::vector<const CopyObject*>& objects, const std::string& list_prefix, const std::function<Result<void>(const There&, bool whole)>& on_look = {});
  // Without a look.
  Result<void> send(const std::vector<const CopyObject*>& objects, std::map<std::string, std::string> unfinished = {});
  // Is what is there this object?
  bool is_there(const CopyObject& object, const RemoteObject& there) const;
  bool is_among(const CopyObject& object, const There& there) const;

 private:
  void learn_etags(const std::vector<const CopyObject*>& objects, const There& there);
  std::string place() const { return site_.place().url + "/" + site_.place().bucket; }

  const CopySource& source_;
  RemoteStore& site_;
  const std::string site_prefix_;
  const CopyLimits limits_;
  CopyProgress& progress_;
  const std::stop_token& stop_;
  std::map<std::string, std::string> sent_;  // ETags of what was sent, by name
  bool makes_other_etags_ = false;
};

// Of everything under a prefix.
Result<ObjectSender::There> list_by_key(RemoteStore& site, const std::string& prefix);

}  // namespace holdfast
