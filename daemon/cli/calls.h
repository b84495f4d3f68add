// What commands that talk to a daemon have in common.
#pragma once

#include <boost/json/value.hpp>

#include "daemon/cli/admin_client.h"
#include "daemon/cli/commands.h"

namespace holdfast {

AdminClient client_of(const CliContext& context);
// Sends, and prints the answer as JSON or `done` as text.
Result<void> call_quietly(const CliContext& context, const std::string& method, const std::string& path,
                          const boost::json::value& body, const std::string& done);

// A file that an option names. kNotFound.
Result<std::string> read_text_file(const std::string& path);

// Members of an answer.
std::string text_of(const boost::json::value& value);
std::string text_at(const boost::json::value& object, const char* key);
uint64_t number_at(const boost::json::value& object, const char* key);

}  // namespace holdfast
