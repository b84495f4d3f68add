#include "storage/base/status.h"

namespace holdfast {

std::string_view code_name(Code code) {
  switch (code) {
    case Code::kInvalidArgument: return "invalid argument";
    case Code::kNotFound: return "not found";
    case Code::kAlreadyExists: return "already exists";
    case Code::kFailedPrecondition: return "failed precondition";
    case Code::kNotModified: return "not modified";
    case Code::kPermissionDenied: return "permission denied";
    case Code::kUnimplemented: return "not implemented";
    case Code::kOutOfSpace: return "out of space";
    case Code::kUnavailable: return "unavailable";
    case Code::kDeadlineExceeded: return "deadline exceeded";
    case Code::kCorrupt: return "corrupt";
    case Code::kIoError: return "i/o error";
    case Code::kInternal: return "internal error";
  }
  return "unknown";
}

std::string Status::to_string() const { return std::string(code_name(code_)) + ": " + message_; }

Status Status::with_context(std::string_view context) const {
  return Status(code_, subject_, std::string(context) + ": " + message_);
}

}  // namespace holdfast
