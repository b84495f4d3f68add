// What an appliance is, in one document: its settings, users and buckets. The data is not in it.
#pragma once

#include <map>

#include "daemon/recovery.h"
#include "storage/bucket_store.h"

namespace holdfast {

struct BundleContent {
  std::map<std::string, std::string> settings;
  std::vector<User> users;      // with their secrets: never print
  std::vector<Bucket> buckets;  // without their objects
};

// What is noted of running jobs, which life of the appliance this is and whether it may act stay where they are.
bool travels(const std::string& setting);

BundleContent content_of(const SettingsStore& settings, const UserStore& users, const BucketStore& buckets);
// The same content gives the same text. It holds secrets.
std::string encode(const BundleContent& content);
// kCorrupt: it cannot be read.
Result<BundleContent> decode_bundle(const std::string& text);

// Into an appliance that has nothing yet.
Result<void> take_over(const BundleContent& content, SettingsStore& settings, UserStore& users, BucketStore& buckets);

// Clusters, policies and so on by name.
void describe(const BundleContent& content, BundleReport& report);
// What of `now` is not the same in `then`, for operators.
std::vector<std::string> differences(const BundleContent& then, const BundleContent& now);

}  // namespace holdfast
