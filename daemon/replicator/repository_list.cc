#include "daemon/replicator/repository_list.h"

#include <algorithm>
#include <charconv>

#include "storage/base/bytes.h"
#include "storage/base/digest.h"
#include "storage/base/names.h"
#include "storage/base/text.h"
#include "storage/base/times.h"

namespace holdfast {

namespace {

constexpr std::string_view kHeader = "holdfast-repository 1 ";

std::string_view blob_name(std::string_view key) { return key.substr(key.rfind('/') + 1); }

// In a line of their own, and leading nowhere else.
bool can_be_named(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7f && c != '/' && c != '\\'; });
}


std::optional<uint64_t> number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  return ec == std::errc() && end == text.data() + text.size() && !text.empty() ? std::optional(value) : std::nullopt;
}

std::string parts_text(const UnitObject& o) {
  std::string text;
  for (const uint64_t bytes : o.part_bytes) text += (text.empty() ? "" : ",") + std::to_string(bytes);
  return text.empty() ? "-" : text;
}

// They make the whole blob.
std::optional<std::vector<uint64_t>> parts_of(std::string_view text, uint64_t size_bytes) {
  std::vector<uint64_t> parts;
  if (text == "-") return parts;
  uint64_t left = size_bytes;
  for (const auto& word : split_text(text, ',')) {
    const auto bytes = number(word);
    if (!bytes || *bytes > left) return std::nullopt;
    left -= *bytes;
    parts.push_back(*bytes);
  }
  return left == 0 ? std::optional(parts) : std::nullopt;
}

std::unexpected<Status> no_list(const std::string& why) { return error(Code::kCorrupt, "it is no list of a repository: " + why); }

class ListReader {
 public:
  explicit ListReader(std::string_view body) : rest_(body) {}

  Result<RepositoryList> read() {
    const auto header = line();
    if (!header || !header->starts_with(kHeader) || !is_repository(header->substr(kHeader.size()))) return no_list("it does not begin as one");
    list_.repository = std::string(header->substr(kHeader.size()));
    for (;;) {
      const auto next = line();
      if (!next) return no_list("its end is missing");
      const auto words = split_text(*next, ' ');
      if (words.size() == 2 && words[0] == "end") {
        if (number(words[1]) != list_.blobs() || !rest_.empty()) return no_list("it is not whole");
        return std::move(list_);
      }
      if (!take(words)) return no_list("the line \"" + std::string(next->substr(0, 200)) + "\"");
    }
  }

 private:
  std::optional<std::string_view> line() {
    const size_t end = rest_.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view found = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return found;
  }

  template <typename Words>
  bool take(const Words& words) {
    if (words.size() == 3 && words[0] == "own") return take_own(std::string(words[1]), words[2]);
    if (words.size() != 5 || (words[0] != "pack" && words[0] != "index")) return false;
    const std::string name(words[4]);
    const auto size = number(words[1]);
    const bool index = words[0] == "index";
    if (!size || !can_be_named(name) || blob_kind(name) != (index ? BlobKind::kIndex : BlobKind::kPack)) return false;
    const auto parts = parts_of(words[3], *size);
    if (!parts) return false;
    (index ? list_.indexes : list_.packs).push_back({list_.repository + "/" + name, *size, std::string(words[2]), {}, *parts});
    return true;
  }

  bool take_own(const std::string& name, std::string_view packed) {
    const auto bytes = from_base64(packed);
    if (!bytes || !can_be_named(name) || blob_kind(name) != BlobKind::kOwn) return false;
    return list_.own.emplace(list_.repository + "/" + name, std::string(as_text(*bytes))).second;
  }

  std::string_view rest_;
  RepositoryList list_;
};

}  // namespace

BlobKind blob_kind(std::string_view name) {
  if (name.starts_with("kopia.")) return BlobKind::kOwn;
  if (name.starts_with("s") || name.starts_with("_")) return BlobKind::kSession;
  // x: of today's format; n, with m and l, which say what of them is outdated: of the one before.
  if (name.starts_with("x") || name.starts_with("n") || name.starts_with("m") || name.starts_with("l")) return BlobKind::kIndex;
  return BlobKind::kPack;
}

uint64_t RepositoryList::size_bytes() const {
  uint64_t sum = 0;
  for (const auto* blobs : {&packs, &indexes}) {
    for (const UnitObject& o : *blobs) sum += o.size_bytes;
  }
  for (const auto& [key, bytes] : own) sum += bytes.size();
  return sum;
}

std::vector<std::pair<std::string, std::string>> RepositoryList::own_opener_last() const {
  std::vector<std::pair<std::string, std::string>> ordered(own.begin(), own.end());
  std::stable_partition(ordered.begin(), ordered.end(), [this](const auto& entry) { return entry.first != opener(); });
  return ordered;
}

Result<std::string> list_body(const RepositoryList& list) {
  std::string body = std::string(kHeader) + list.repository + "\n";
  const auto add = [&](const char* kind, const std::vector<UnitObject>& blobs) -> Result<void> {
    for (const UnitObject& o : blobs) {
      const std::string_view name = blob_name(o.key);
      if (!can_be_named(name) || o.etag.find_first_of(" \n") != std::string::npos) return error(Code::kInvalidArgument, o.key + " cannot be the name of a blob");
      body += std::string(kind) + " " + std::to_string(o.size_bytes) + " " + o.etag + " " + parts_text(o) + " " + std::string(name) + "\n";
    }
    return {};
  };
  HF_CHECK(add("pack", list.packs));
  HF_CHECK(add("index", list.indexes));
  for (const auto& [key, bytes] : list.own) {
    if (!can_be_named(blob_name(key))) return error(Code::kInvalidArgument, key + " cannot be the name of a blob");
    body += "own " + std::string(blob_name(key)) + " " + base64(as_bytes(bytes)) + "\n";
  }
  body += "end " + std::to_string(list.blobs()) + "\n";
  if (body.size() > kMaxListBytes) return error(Code::kOutOfSpace, "repository " + list.repository + " has " + std::to_string(list.blobs()) + " blobs, which is more than can be copied");
  return body;
}

Result<RepositoryList> parse_list(std::string_view body) { return ListReader(body).read(); }

std::string RepositoryPlace::key_of(const UnitObject& blob) const {
  return (blob_kind(blob_name(blob.key)) == BlobKind::kIndex ? index_prefix() : unit_prefix()) + blob.key;
}

std::string RepositoryPlace::stem(const SiteUnit& unit) { return unit.backup + "," + compact_date(unit.started_ms); }

std::optional<ListedPoint> point_of_list(const std::string& key) {
  const auto words = split_text(blob_name(key), ',');
  const auto started_ms = words.size() < 2 ? std::nullopt : parse_compact_date(words[1]);
  if (!started_ms) return std::nullopt;
  return ListedPoint{std::string(words[0]), *started_ms};
}

Result<RepositoryList> read_list(RemoteStore& site, const SiteUnit& unit, const RepositoryRef& ref) {
  const auto body = site.get(RepositoryPlace(unit.cluster, ref.name).list_key(unit, ref.digest), kMaxListBytes);
  if (!body && body.error().code() == Code::kNotFound) return error(Code::kCorrupt, "what it needs of repository " + ref.name + " is not known at the site any more");
  if (!body) return std::unexpected(body.error());
  auto list = sha256_hex(*body) == ref.digest ? parse_list(*body) : error(Code::kCorrupt, "it has other bytes than were written");
  if (!list || list->repository != ref.name) return error(Code::kCorrupt, "the list of repository " + ref.name + " at the site: " + (list ? "it is of another one" : list.error().message()));
  return list;
}

Result<void> retire_list(RemoteStore& site, const RepositoryPlace& place, const std::string& key) {
  const auto body = site.get(key, kMaxListBytes);
  if (!body && body.error().code() == Code::kNotFound) return {};
  if (!body) return std::unexpected(body.error());
  const auto words = split_text(blob_name(key), ',');
  if (words.size() < 2) return error(Code::kCorrupt, key + " is the name of no list");
  HF_CHECK(site.put({.key = place.removed_key(std::string(words[0]) + "," + std::string(words[1]), sha256_hex(*body)), .content_type = "text/plain"}, *body));
  return site.remove(key);
}

Result<void> retire_lists(RemoteStore& site, const RepositoryPlace& place, const SiteUnit& unit) {
  HF_TRY(const auto lists, list_all(site, place.list_prefix(unit.backup)));
  for (const RemoteObject& o : lists) {
    const auto point = point_of_list(o.key);
    if (point && compact_date(point->started_ms) == compact_date(unit.started_ms)) HF_CHECK(retire_list(site, place, o.key));
  }
  return {};
}

Result<void> retire_other_lists(RemoteStore& site, const RepositoryPlace& place, const std::string& backup, const std::string& kept_key) {
  HF_TRY(const auto lists, list_all(site, place.list_prefix(backup)));
  for (const RemoteObject& o : lists) {
    if (o.key != kept_key) HF_CHECK(retire_list(site, place, o.key));
  }
  return {};
}

}  // namespace holdfast
