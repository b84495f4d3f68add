// This host.
#pragma once

#include <string>

namespace holdfast {

// As gethostname() says; "localhost" where it says nothing.
std::string host_name();

// The calling thread goes before the process's other threads where it may: what everybody waits for must not wait for a processor itself.
// Nothing changes without the permission (CAP_SYS_NICE, or RLIMIT_NICE).
void put_thread_first();

}  // namespace holdfast
