// One holder a device among the processes of this host. Ends with the process, whatever ends it.
#pragma once

#include <string>

#include "storage/base/status.h"

namespace holdfast {

class LocalLock {
 public:
  // kPermissionDenied when this identity is held on this host already; `name`, of its device, is for people.
  static Result<LocalLock> take(const std::string& identity, const std::string& name);

  LocalLock() = default;
  LocalLock(LocalLock&& other) noexcept;
  LocalLock& operator=(LocalLock&& other) noexcept;
  ~LocalLock();

 private:
  int socket_ = -1;
};

}  // namespace holdfast
