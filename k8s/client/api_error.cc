#include "k8s/client/api_error.h"

namespace holdfast::k8s {

Status api_error(const std::string& what, unsigned http_status, const json::object& status) {
  std::string message = text_at(status, "message");
  if (message.empty()) message = "status " + std::to_string(http_status);
  message = what + ": " + message;
  switch (http_status) {
    case 400:
    case 405:
    case 406:
    case 413:
    case 415:
    case 422: return Status(Code::kInvalidArgument, message);
    case 401:
    case 403: return Status(Code::kPermissionDenied, message);
    case 404: return Status(Code::kNotFound, message);
    case 409:
      return Status(text_at(status, "reason") == "AlreadyExists" ? Code::kAlreadyExists : Code::kFailedPrecondition, message);
    case 410: return Status(Code::kFailedPrecondition, Subject::kVersion, message);
    case 504: return Status(Code::kDeadlineExceeded, message);
    default: return Status(http_status == 429 || http_status >= 500 ? Code::kUnavailable : Code::kInternal, message);
  }
}

}  // namespace holdfast::k8s
