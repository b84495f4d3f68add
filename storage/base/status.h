// The one error type of the project, and Result<T>, which carries either a value or such an error.
//
// Storage knows no HTTP and no S3: a Status says what kind of thing went wrong (Code), what it concerns
// (Subject) and the facts in words. The gateway and the admin API translate the pair into their own codes.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace holdfast {

enum class Code {
  kInvalidArgument,     // the caller's input is wrong; repeating it gives the same answer
  kNotFound,            // the subject does not exist
  kAlreadyExists,       // the subject exists and must not
  kFailedPrecondition,  // a condition of the request, or of the subject's state, does not hold
  kNotModified,         // a conditional read whose condition says: unchanged
  kPermissionDenied,    // a role, a lock or a fence forbids it
  kUnimplemented,       // a feature this build does not have
  kOutOfSpace,          // the pool or the device is full
  kUnavailable,         // nothing can be said now; an unacknowledged write may or may not be there later
  kDeadlineExceeded,    // a wait ended by its deadline
  kCorrupt,             // stored bytes failed their check
  kIoError,             // a device or the operating system refused
  kInternal,            // a broken invariant: a defect of this program
};

enum class Subject {
  kNone,
  kBucket,
  kKey,
  kVersion,
  kUpload,
  kPart,
  kPartOrder,
  kPartSize,
  kBody,
  kBodySize,
  kLock,
  kDevice,
  kPool,
  kIndex,
  kUser,
  kConfig,
  kConnection,  // with kUnavailable: the other side was not reached, so nothing was sent
};

// An error with its facts. Cheap to move; copies allocate.
class [[nodiscard]] Status {
 public:
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}
  Status(Code code, Subject subject, std::string message)
      : code_(code), subject_(subject), message_(std::move(message)) {}

  Code code() const { return code_; }
  Subject subject() const { return subject_; }
  const std::string& message() const { return message_; }

  // True when the same call may succeed later without anything else changing.
  bool retryable() const { return code_ == Code::kUnavailable || code_ == Code::kDeadlineExceeded; }

  bool is(Code code, Subject subject) const { return code_ == code && subject_ == subject; }

  // "corrupt: segment 7 ...": for logs and operators.
  std::string to_string() const;

  // The same error with `context: ` before its message.
  Status with_context(std::string_view context) const;

 private:
  Code code_;
  Subject subject_ = Subject::kNone;
  std::string message_;
};

std::string_view code_name(Code code);

template <typename T>
using Result = std::expected<T, Status>;

template <typename... Args>
std::unexpected<Status> error(Args&&... args) {
  return std::unexpected<Status>(Status(std::forward<Args>(args)...));
}

}  // namespace holdfast

// Returns from the enclosing function with the error of `expr`, a Result of any value type.
// Never used around co_await (GCC 12 miscompiles such expressions).
#define HF_CHECK(expr)                                                       \
  do {                                                                       \
    if (auto hf_result_ = (expr); !hf_result_) {                             \
      return std::unexpected(std::move(hf_result_.error()));                 \
    }                                                                        \
  } while (false)

#define HF_CONCAT_INNER(a, b) a##b
#define HF_CONCAT(a, b) HF_CONCAT_INNER(a, b)

// Declares `lhs` from the value of `expr`, or returns its error.
#define HF_TRY(lhs, expr) HF_TRY_IMPL(HF_CONCAT(hf_try_, __LINE__), lhs, expr)
#define HF_TRY_IMPL(tmp, lhs, expr)                                      \
  auto tmp = (expr);                                                     \
  if (!tmp) return std::unexpected(std::move(tmp.error()));              \
  lhs = std::move(*tmp)
