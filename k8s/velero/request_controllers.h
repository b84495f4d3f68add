// The short requests of Velero's command line.
#pragma once

#include "k8s/velero/locations.h"

namespace holdfast::k8s {

// Where is the file that `velero backup logs` and its like want to fetch? Answered with a URL, whether or not it exists: a
// 404 is an answer, silence is not.
class DownloadRequests final : public Controller {
 public:
  DownloadRequests(const ServerContext& context, const Locations& locations) : c_(context), locations_(locations) {}
  Result<LookAgain> reconcile(const std::string& name) override;

 private:
  Result<BackupPlace> place_of(const std::string& kind, const std::string& name) const;
  const ServerContext& c_;
  const Locations& locations_;
};

// Which server is there, and what can it do?
class StatusRequests final : public Controller {
 public:
  explicit StatusRequests(const ServerContext& context) : c_(context) {}
  Result<LookAgain> reconcile(const std::string& name) override;

 private:
  const ServerContext& c_;
};

// The file that a kind of download is about, as an object key; empty: no such kind, or no name.
std::string download_key(const BackupPlace& place, const std::string& kind, const std::string& name);

}  // namespace holdfast::k8s
