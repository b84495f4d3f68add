// The JSON shapes of the admin API.
#pragma once

#include <boost/json/object.hpp>

#include "daemon/services.h"
#include "storage/base/random.h"

namespace holdfast {

boost::json::object to_json(const PoolStatus& pool);
boost::json::object to_json(const ScrubStatus& scrub);
boost::json::object to_json(const User& user);  // never with the secret
boost::json::object to_json(const Bucket& bucket);
boost::json::object to_json(const BucketUsage& usage);

// A new user; keys that are not given are made.
Result<User> user_from_json(const boost::json::object& body, Random& random);
Result<void> change_user(User& user, const boost::json::object& body);

struct NewBucket {
  Bucket bucket;
  std::string pool;
};
Result<NewBucket> bucket_from_json(const boost::json::object& body);

std::string role_name(Role role);
Result<Role> parse_role(const std::string& name);

}  // namespace holdfast
