#include "storage/base/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <unistd.h>

namespace holdfast {

namespace {

std::unique_ptr<spdlog::pattern_formatter> new_formatter() {
  return std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ %v", spdlog::pattern_time_type::utc);
}

// A line is formatted by the thread that says it and written in one call, which keeps lines whole without a lock: with spdlog's own, threads that
// serve requests waited for each other's lines.
class LineSink final : public spdlog::sinks::sink {
 public:
  void log(const spdlog::details::log_msg& message) override {
    thread_local const auto formatter = new_formatter();
    spdlog::memory_buf_t line;
    formatter->format(message, line);
    (void)!::write(STDERR_FILENO, line.data(), line.size());
  }
  void flush() override {}
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}
};

spdlog::sink_ptr new_sink() {
  if (::isatty(STDERR_FILENO) == 0) return std::make_shared<LineSink>();
  auto coloured = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  coloured->set_formatter(new_formatter());
  return coloured;
}

}  // namespace

void start_log(const std::string& level) {
  auto logger = std::make_shared<spdlog::logger>("holdfast", new_sink());
  logger->set_level(spdlog::level::from_str(level));
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace holdfast
