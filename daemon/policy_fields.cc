#include "daemon/policy_fields.h"

#include "daemon/duration.h"
#include "storage/base/names.h"

namespace holdfast {

namespace json = boost::json;

namespace {

const json::object& map_of(const json::value& value, const std::string& path) {
  if (!value.is_object()) throw BadField{path, "it is not a map"};
  return value.get_object();
}

}  // namespace

PolicyFields::PolicyFields(const json::value& value, std::string path) : object_(map_of(value, path)), path_(std::move(path)) {}

std::string PolicyFields::path_of(std::string_view key) const { return (path_.empty() ? "" : path_ + ".") + std::string(key); }

void PolicyFields::refuse(std::string_view key, const std::string& why) const { throw BadField{path_of(key), why}; }

void PolicyFields::only(const std::set<std::string_view>& known) const {
  for (const auto& member : object_) {
    if (known.contains(member.key())) continue;
    std::string all;
    for (const std::string_view k : known) all += (all.empty() ? "" : ", ") + std::string(k);
    refuse(member.key(), "there is no such field here; there are " + all);
  }
}

const json::value* PolicyFields::find(std::string_view key) const {
  const json::value* value = object_.if_contains(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

const json::value& PolicyFields::required(std::string_view key) const {
  const json::value* value = find(key);
  if (value == nullptr) throw BadField{path_, "\"" + std::string(key) + "\" is missing"};
  return *value;
}

std::string PolicyFields::text(std::string_view key) const {
  const json::value* value = find(key);
  if (value == nullptr) return "";
  if (!value->is_string()) refuse(key, "it is not a text");
  return std::string(value->get_string());
}

std::string PolicyFields::name(std::string_view key) const {
  (void)required(key);
  std::string name = text(key);
  if (!is_dns_label(name)) refuse(key, "\"" + name + "\" is no name: lower case letters, digits and '-', 63 at most");
  return name;
}

bool PolicyFields::flag(std::string_view key) const {
  const json::value* value = find(key);
  if (value == nullptr) return false;
  if (!value->is_bool()) refuse(key, "it is neither true nor false");
  return value->get_bool();
}

unsigned PolicyFields::count(std::string_view key, unsigned most) const {
  const json::value* value = find(key);
  if (value == nullptr) return 0;
  if (!value->is_int64() || value->get_int64() < 0 || value->get_int64() > most) refuse(key, "it is no number from 0 to " + std::to_string(most));
  return static_cast<unsigned>(value->get_int64());
}

int64_t PolicyFields::length_ms(std::string_view key, int64_t otherwise) const {
  if (find(key) == nullptr) return otherwise;
  const auto ms = parse_length_ms(text(key));
  if (!ms) refuse(key, "\"" + text(key) + "\" is no length of time, such as 30m, 12h, 7d or 1y");
  return *ms;
}

size_t PolicyFields::choice(std::string_view key, const std::vector<std::string_view>& choices) const {
  if (find(key) == nullptr) return 0;
  const std::string given = text(key);
  std::string all;
  for (size_t i = 0; i < choices.size(); ++i) {
    if (choices[i] == given) return i;
    all += (i == 0 ? "" : " nor ") + std::string(choices[i]);
  }
  refuse(key, "\"" + given + "\" is neither " + all);
}

}  // namespace holdfast
