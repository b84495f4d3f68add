#include "storage/base/host.h"

#include <sys/resource.h>
#include <unistd.h>

namespace holdfast {

std::string host_name() {
  char name[256] = "";
  return ::gethostname(name, sizeof name - 1) == 0 && name[0] != '\0' ? name : "localhost";
}

void put_thread_first() {
  constexpr int kNice = -10;
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);  // of this thread alone, on Linux
}

}  // namespace holdfast
