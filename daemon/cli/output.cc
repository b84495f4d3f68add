#include "daemon/cli/output.h"

#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cstdio>
#include <iostream>

namespace holdfast {

void print_table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& h : header) widths.push_back(h.size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  const auto print = [&](const std::vector<std::string>& row) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i] + std::string(i + 1 < row.size() ? widths[i] - row[i].size() + 2 : 0, ' ');
    }
    std::cout << line << "\n";
  };
  print(header);
  for (const auto& row : rows) print(row);
}

void print_json(const boost::json::value& value) { std::cout << boost::json::serialize(value) << "\n"; }

std::string bytes_text(uint64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text;
}

bool parse_bytes(const std::string& text, uint64_t& bytes) {
  constexpr std::string_view kUnits = "KMGTP";
  constexpr double kMost = 9e18;  // below the largest that an integer holds
  double value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || !(value > 0)) return false;
  std::string_view unit(end, text.data() + text.size());
  if (!unit.empty()) {
    const size_t power = kUnits.find(static_cast<char>(std::toupper(static_cast<unsigned char>(unit.front()))));
    if (power == std::string_view::npos) return false;
    for (size_t i = 0; i <= power; ++i) value *= 1024;
    unit.remove_prefix(1);
  }
  if (!(unit.empty() || unit == "i" || unit == "iB") || value > kMost) return false;
  bytes = static_cast<uint64_t>(value);
  return true;
}

Progress::Progress(std::string what) : what_(std::move(what)), terminal_(::isatty(STDERR_FILENO) != 0) {}

void Progress::show(uint64_t done, uint64_t total) {
  const int percent = total == 0 ? 0 : static_cast<int>(std::min<uint64_t>(100, done * 100 / total));
  if (percent == last_percent_) return;
  if (terminal_) {
    const int filled = percent * 40 / 100;
    std::cerr << "\r" << what_ << " [" << std::string(static_cast<size_t>(filled), '#')
              << std::string(static_cast<size_t>(40 - filled), '.') << "] " << percent << "%" << std::flush;
  } else if (percent / 10 != last_percent_ / 10 || last_percent_ < 0) {
    std::cerr << what_ << " " << percent << "%\n";
  }
  last_percent_ = percent;
}

void Progress::finish() {
  if (terminal_) std::cerr << "\n";
}

}  // namespace holdfast
