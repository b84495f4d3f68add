// What a backup or restore says while it runs: the log that `velero backup logs` shows, and the results object.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "k8s/bucket/gzip_writer.h"
#include "storage/base/clock.h"

namespace holdfast::k8s {

// Thread-safe. Lines as logrus writes them. Messages beyond 10,000 of a level are counted, not kept.
class RunLog {
 public:
  // `subject`: "backup=velero/b1", put into every line.
  RunLog(Clock& clock, std::string subject);

  void info(const std::string& message);
  // `name_space` empty: about the cluster.
  void warning(const std::string& name_space, const std::string& message);
  void error(const std::string& name_space, const std::string& message);

  uint64_t warnings() const;
  uint64_t errors() const;
  // {"errors":{...},"warnings":{...}}; messages under "cluster" or "namespaces".
  std::string results_json() const;
  // The gzip-compressed text so far; ends the log.
  std::string finish();

 private:
  struct Messages {
    uint64_t count = 0;
    std::map<std::string, std::vector<std::string>> by_namespace;
    void add(const std::string& name_space, const std::string& message);
  };
  void line(const char* level, const std::string& message);

  Clock& clock_;
  const std::string subject_;
  mutable std::mutex mutex_;
  std::string out_;
  GzipWriter gzip_;
  Messages warnings_, errors_;
};

}  // namespace holdfast::k8s
