// Tags of buckets and objects, as header and as document.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
#pragma once

#include "s3gw/protocol/s3_error.h"
#include "s3gw/protocol/xml.h"
#include "storage/types.h"

namespace holdfast::s3 {

// All refuse with InvalidTag what is no tag, with BadRequest more tags than allowed.
S3Result<Pairs> parse_tagging_header(std::string_view text);
inline constexpr size_t kMaxObjectTags = 10, kMaxBucketTags = 50;
S3Result<Pairs> parse_tagging_document(std::string_view body, size_t max_tags);
S3Result<Pairs> parse_tag_list(const pugi::xml_node& set, size_t max_tags);  // the children <Tag>
std::string tagging_document(const Pairs& tags);

}  // namespace holdfast::s3
