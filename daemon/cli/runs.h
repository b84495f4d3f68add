// What the commands about backups and about restores share.
#pragma once

#include <boost/json.hpp>

#include "daemon/cli/admin_client.h"
#include "daemon/cli/commands.h"

namespace holdfast {

// The cluster that is meant: the named one, or the only one there is.
Result<std::string> cluster_of(const CliContext& context, const std::string& named);
// "KEY=VALUE,..." as an object.
Result<boost::json::object> labels_of(const std::string& selector);
// A spec from a file of JSON; empty without a file.
Result<boost::json::object> spec_file(const std::string& path);
void put_list(boost::json::object& spec, const char* key, const std::vector<std::string>& list);

// Why those failed that did.
void print_reasons(const boost::json::array& runs);
// The document or the log of a backup or restore, by its path.
Result<void> print_document(const CliContext& context, const std::string& path);
Result<void> print_log(const CliContext& context, const std::string& path);

// Waits for the end of a backup or restore; its state.
Result<boost::json::value> await_end(AdminClient& client, const std::string& path);
// Why it failed; empty where it did not.
std::string reason_of(const boost::json::value& run);
// Prints how a "backup" or "restore" ended. An error unless it is Completed.
Result<void> print_ended(const CliContext& context, const std::string& what, const boost::json::value& run);

}  // namespace holdfast
