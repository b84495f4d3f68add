// Reading a document of settings member by member; what is wrong with one is thrown with the path to it.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace holdfast {

// Does not leave the function that reads a document.
struct BadField {
  std::string path;  // "tiers[0].schedule"; empty: the document
  std::string why;
};

class PolicyFields {
 public:
  // Throws where `value` is no map.
  PolicyFields(const boost::json::value& value, std::string path);

  // Throws for the first member that is none of these.
  void only(const std::set<std::string_view>& known) const;
  [[noreturn]] void refuse(std::string_view key, const std::string& why) const;

  const boost::json::value* find(std::string_view key) const;
  const boost::json::value& required(std::string_view key) const;
  // Empty when absent.
  std::string text(std::string_view key) const;
  std::string name(std::string_view key) const;  // of a policy, cluster or tier; required
  bool flag(std::string_view key) const;         // false when absent
  unsigned count(std::string_view key, unsigned most) const;  // 0 when absent
  // "7d"; `otherwise` when absent.
  int64_t length_ms(std::string_view key, int64_t otherwise) const;
  // Which of them, counted from 0; 0 when absent.
  size_t choice(std::string_view key, const std::vector<std::string_view>& choices) const;

  std::string path_of(std::string_view key) const;

 private:
  const boost::json::object& object_;
  const std::string path_;
};

}  // namespace holdfast
