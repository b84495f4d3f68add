#include "k8s/cron.h"

#include <charconv>
#include <chrono>
#include <map>
#include <vector>

#include "k8s/spec/go_duration.h"
#include "storage/base/text.h"

namespace holdfast::k8s {

namespace {

using Names = std::map<std::string, unsigned, std::less<>>;

struct Field {
  const char* name;
  unsigned least, most;
  Names names;
};

const std::array<Field, 5>& fields() {
  static const std::array<Field, 5> kFields{
      {{"minute", 0, 59, {}},
       {"hour", 0, 23, {}},
       {"day of month", 1, 31, {}},
       {"month", 1, 12, {{"jan", 1}, {"feb", 2}, {"mar", 3}, {"apr", 4}, {"may", 5}, {"jun", 6}, {"jul", 7}, {"aug", 8}, {"sep", 9}, {"oct", 10}, {"nov", 11}, {"dec", 12}}},
       {"day of week", 0, 6, {{"sun", 0}, {"mon", 1}, {"tue", 2}, {"wed", 3}, {"thu", 4}, {"fri", 5}, {"sat", 6}}}}};
  return kFields;
}
constexpr size_t kMinute = 0, kHour = 1, kDayOfMonth = 2, kMonth = 3, kDayOfWeek = 4;
constexpr int kSearchedDays = 5 * 366;
constexpr size_t kMaxTextBytes = 1024;

std::unexpected<Status> wrong(const Field& field, std::string_view part, const std::string& why) {
  return error(Code::kInvalidArgument, "\"" + std::string(part) + "\" is no " + field.name + ": " + why);
}

Result<unsigned> number(const Field& field, std::string_view text, std::string_view part) {
  if (const auto named = field.names.find(lower(text)); named != field.names.end()) return named->second;
  unsigned value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size()) return wrong(field, part, "\"" + std::string(text) + "\" is no number");
  return value;
}

// One part of a list: "*", "5", "1-5", each with "/step". `star`: it stands for every value.
Result<uint64_t> part_bits(const Field& field, std::string_view part, bool& star) {
  const auto halves = split_text(part, '/');
  const auto ends = split_text(halves[0], '-');
  if (halves.size() > 2 || ends.size() > 2) return wrong(field, part, "too many signs in it");
  unsigned first = field.least, last = field.most, step = 1;
  const bool all = ends[0] == "*" || ends[0] == "?";
  if (!all) {
    HF_TRY(first, number(field, ends[0], part));
    last = first;
    if (ends.size() == 2) {
      HF_TRY(last, number(field, ends[1], part));
    }
  }
  if (halves.size() == 2) {
    HF_TRY(step, number({field.name, 0, 0, {}}, halves[1], part));
    if (step == 0) return wrong(field, part, "a step of 0");
    if (ends.size() == 1) last = field.most;
  }
  if (first < field.least || last > field.most || first > last) {
    return wrong(field, part, "it must lie within " + std::to_string(field.least) + " and " + std::to_string(field.most));
  }
  star = star || (all && step == 1);
  uint64_t bits = 0;
  for (uint64_t v = first; v <= last; v += step) bits |= uint64_t{1} << v;
  return bits;
}

std::string_view named_schedule(std::string_view text) {
  static const std::map<std::string_view, std::string_view> kNamed{{"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"}, {"@weekly", "0 0 * * 0"},
                                                                    {"@daily", "0 0 * * *"}, {"@midnight", "0 0 * * *"}, {"@hourly", "0 * * * *"}};
  const auto found = kNamed.find(text);
  return found == kNamed.end() ? std::string_view() : found->second;
}

}  // namespace

Result<void> Cron::parse_fields(std::string_view text) {
  std::vector<std::string_view> words;
  for (const std::string_view word : split_text(text, ' ')) {
    if (!word.empty()) words.push_back(word);
  }
  if (words.size() != allowed_.size()) return error(Code::kInvalidArgument, "expected exactly 5 fields, found " + std::to_string(words.size()));
  std::array<bool, 5> star{};
  for (size_t i = 0; i < words.size(); ++i) {
    for (const std::string_view part : split_text(words[i], ',')) {
      if (part.empty()) continue;
      HF_TRY(const uint64_t bits, part_bits(fields()[i], part, star[i]));
      allowed_[i] |= bits;
    }
    if (allowed_[i] == 0) return wrong(fields()[i], words[i], "nothing is in it");
  }
  any_hour_ = star[kHour];
  any_day_of_month_ = star[kDayOfMonth];
  any_day_of_week_ = star[kDayOfWeek];
  return {};
}

Result<Cron> Cron::parse(std::string_view text) {
  if (text.size() > kMaxTextBytes) return error(Code::kInvalidArgument, "longer than " + std::to_string(kMaxTextBytes) + " bytes");
  std::string plain(text);
  for (char& c : plain) {
    if (c == '\t' || c == '\n' || c == '\r') c = ' ';
  }
  Cron cron;
  if (plain.starts_with("TZ=") || plain.starts_with("CRON_TZ=")) {
    const size_t begin = plain.find('=') + 1, end = plain.find(' ');
    if (end == std::string::npos) return error(Code::kInvalidArgument, "there is nothing behind the time zone");
    HF_TRY(cron.zone_, TimeZone::find(plain.substr(begin, end - begin)));
    plain.erase(0, plain.find_first_not_of(' ', end));
  }
  constexpr std::string_view kEvery = "@every ";
  if (plain.starts_with(kEvery)) {
    const auto ms = parse_duration_ms(std::string_view(plain).substr(kEvery.size()));
    if (!ms) return error(Code::kInvalidArgument, "\"" + plain.substr(kEvery.size()) + "\" is no duration");
    cron.every_s_ = std::max<int64_t>(*ms / 1000, 1);
    return cron;
  }
  if (plain.starts_with('@')) {
    const std::string_view named = named_schedule(plain);
    if (named.empty()) return error(Code::kInvalidArgument, "unrecognized descriptor: " + plain);
    plain = named;
  }
  HF_CHECK(cron.parse_fields(plain));
  return cron;
}

bool Cron::allows_day(std::chrono::sys_days day) const {
  const std::chrono::year_month_day date(day);
  const bool by_date = allows(kDayOfMonth, static_cast<unsigned>(date.day()));
  const bool by_week = allows(kDayOfWeek, std::chrono::weekday(day).c_encoding());
  const bool good = any_day_of_month_ || any_day_of_week_ ? by_date && by_week : by_date || by_week;
  return good && allows(kMonth, static_cast<unsigned>(date.month()));
}

// The first moment of a day, as the zone counts it, that is not before `from`.
std::optional<std::chrono::sys_seconds> Cron::first_of_day(std::chrono::sys_days day, std::chrono::sys_seconds from) const {
  using namespace std::chrono;
  std::optional<sys_seconds> best;
  for (minutes m = zone_ ? minutes(0) : std::max(minutes(0), floor<minutes>(from - day)); m < hours(24); ++m) {
    const auto count = static_cast<unsigned>(m.count());
    if (!allows(kHour, count / 60)) m += minutes(59 - count % 60);  // to the next hour
    if (!allows(kHour, count / 60) || !allows(kMinute, count % 60)) continue;
    if (!zone_) {
      if (day + m >= from) return day + m;
      continue;
    }
    bool left_out = false;
    std::vector<sys_seconds> instants = zone_->instants(duration_cast<minutes>(day.time_since_epoch()) + m, left_out);
    if (any_hour_ && left_out) continue;
    if (!any_hour_) instants.resize(1);
    for (const sys_seconds t : instants) {
      if (t >= from && (!best || t < *best)) best = t;
    }
  }
  return best;
}

std::optional<int64_t> Cron::next(int64_t unix_ms) const {
  using namespace std::chrono;
  if (every_s_ > 0) return (unix_ms / 1000 + every_s_) * 1000;
  const sys_seconds from = floor<minutes>(sys_time<milliseconds>(milliseconds(unix_ms))) + minutes(1);
  const minutes local = zone_ ? zone_->local(from) : floor<minutes>(from.time_since_epoch());
  // Clocks that are put back may show yesterday once more.
  const sys_days first = floor<days>(sys_time<minutes>(local)) - days(zone_ ? 1 : 0);
  for (int d = 0; d <= kSearchedDays; ++d) {
    if (!allows_day(first + days(d))) continue;
    if (const auto due = first_of_day(first + days(d), from)) return duration_cast<milliseconds>(due->time_since_epoch()).count();
  }
  return std::nullopt;
}

std::optional<int64_t> Cron::last(int64_t after_ms, int64_t until_ms) const {
  const auto first = next(after_ms);
  if (!first || *first > until_ms) return std::nullopt;
  if (every_s_ > 0) return *first + (until_ms - *first) / (every_s_ * 1000) * (every_s_ * 1000);
  const auto second = next(*first);
  if (!second || *second > until_ms) return first;
  // The times that come after t are the later the later t is: it is found by halves, however many there are.
  int64_t before = after_ms / 1000, behind = until_ms / 1000;
  while (behind - before > 1) {
    const int64_t middle = before + (behind - before) / 2;
    const auto due = next(middle * 1000);
    (due && *due <= until_ms ? before : behind) = middle;
  }
  const auto due = next(before * 1000);
  return due && *due <= until_ms ? due : first;
}

}  // namespace holdfast::k8s
