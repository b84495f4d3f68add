// How the command line prints: tables for people, JSON for programs, progress for long work.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <vector>

namespace holdfast {

// Right-aligned numbers, a header line, blanks between columns.
void print_table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows);
void print_json(const boost::json::value& value);
// What a table shows: "-" where there is nothing.
inline std::string dash(const std::string& text) { return text.empty() ? "-" : text; }
// "1.5 GiB"
std::string bytes_text(uint64_t bytes);
// "512M", "10G", "10GiB", "1T", or plain bytes. False for anything else, whatever it begins with.
bool parse_bytes(const std::string& text, uint64_t& bytes);

// A bar on a terminal; elsewhere a line every ten per cent.
class Progress {
 public:
  explicit Progress(std::string what);
  void show(uint64_t done, uint64_t total);
  void finish();

 private:
  std::string what_;
  bool terminal_;
  int last_percent_ = -1;
};

}  // namespace holdfast
