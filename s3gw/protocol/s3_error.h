// S3's errors, and what the store's errors are called in S3.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "storage/base/status.h"

namespace holdfast::s3 {

struct S3Error {
  S3Error(unsigned http_status, std::string error_code, std::string text)
      : status(http_status), code(std::move(error_code)), message(std::move(text)) {}
  S3Error(const Status& store_error);  // NOLINT: converts, so that store errors pass through

  unsigned status;
  std::string code;
  std::string message;
  bool alarm = false;  // stored bytes are damaged, or the program is at fault
  std::vector<std::pair<std::string, std::string>> fields = {};  // more elements of the document, such as ArgumentName
};

template <typename T>
using S3Result = std::expected<T, S3Error>;

// An error by its S3 code, with the HTTP status and the usual message of that code; `message` replaces it.
S3Error s3_error(std::string_view code, std::string_view message = {});

template <typename... Args>
std::unexpected<S3Error> s3_fail(Args&&... args) {
  return std::unexpected(s3_error(std::forward<Args>(args)...));
}

// The same with further elements of the error document.
using ErrorFields = std::vector<std::pair<std::string, std::string>>;
std::unexpected<S3Error> s3_fail_with(ErrorFields fields, std::string_view code, std::string_view message = {});
// InvalidArgument that names the argument and its value.
std::unexpected<S3Error> bad_argument(std::string_view name, std::string_view value, std::string_view message);

// The XML body.
std::string error_document(const S3Error& error, std::string_view resource, std::string_view request_id);

}  // namespace holdfast::s3
