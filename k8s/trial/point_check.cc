#include "k8s/point_check.h"

#include <algorithm>
#include <span>
#include <unordered_set>

#include "k8s/bucket/archive_reader.h"
#include "k8s/client/json_access.h"
#include "k8s/restore/item_path.h"

namespace holdfast::k8s {

namespace {

constexpr size_t kNamedProblems = 100;
constexpr size_t kPieceBytes = 1 << 20;
constexpr uint64_t kMaxParsedBytes = 256 << 20;  // a resource list of some million objects

class Check {
 public:
  Check(const BackupPlace& place, const std::string& name, std::stop_token stop) : place_(place), name_(name), stop_(std::move(stop)) {}

  Result<PointCheck> run() {
    HF_TRY(const std::string document, restore_point_document(place_, name_));
    const auto parsed = parse_object(document);
    if (!parsed) problem("velero-backup.json: " + parsed.error().message());
    else if (view_at(object_at(*parsed, "metadata"), "name") != name_) problem("velero-backup.json is about another backup");
    ListQuery query;
    query.prefix = restore_point_key(place_, name_, "");
    for (;;) {
      HF_TRY(const ListPage page, place_.store->list(place_.bucket, query));
      for (const ObjectInfo& o : page.entries) HF_CHECK(read_object(o.key.substr(query.prefix.size())));
      if (!page.truncated) break;
      query.after_key = page.next_key;
    }
    compare();
    return std::move(check_);
  }

 private:
  void problem(std::string text) {
    if (++check_.problems <= kNamedProblems) check_.damage.push_back(std::move(text));
  }

  Result<void> read_object(const std::string& file) {
    ++check_.objects;
    const auto done = file == name_ + ".tar.gz"                        ? read_items(file)
                      : file == name_ + "-resource-list.json.gz"       ? read_list(file)
                      : file.ends_with(".gz")                          ? read_packed(file)
                                                                       : read_plain(file);
    if (done) return {};
    // A store that cannot be asked says nothing about the restore point.
    const Code code = done.error().code();
    if (code != Code::kCorrupt && code != Code::kNotFound && code != Code::kInvalidArgument) return done;
    problem(file + ": " + done.error().message());
    return {};
  }

  // Calls `use` with the bytes of an object as they are read.
  template <typename Use>
  Result<void> with_source(const std::string& file, Use use) {
    HF_TRY(const auto reader, place_.store->get(place_.bucket, restore_point_key(place_, name_, file), {}));
    check_.bytes += reader->info().size_bytes;
    GunzipStream::Source plain = object_source(*reader);
    return use([this, &plain](MutableByteSpan out) -> Result<size_t> {
      if (stop_.stop_requested()) return error(Code::kUnavailable, "it was stopped");
      return plain(out);
    });
  }

  Result<void> read_plain(const std::string& file) {
    return with_source(file, [](const GunzipStream::Source& source) -> Result<void> {
      Bytes piece(kPieceBytes);
      for (;;) {
        HF_TRY(const size_t n, source(piece));
        if (n == 0) return {};
      }
    });
  }

  Result<void> read_packed(const std::string& file) {
    HF_TRY(const std::string text, unpacked(file));
    if (!file.ends_with(".json.gz") || text.size() == kMaxParsedBytes) return {};
    boost::system::error_code ec;
    (void)json::parse(text, ec);
    if (ec) return error(Code::kCorrupt, "it is no JSON");
    return {};
  }

  // Logs are only read: they may be of any size.
  Result<std::string> unpacked(const std::string& file) {
    const bool kept = file.ends_with(".json.gz");
    std::string text;
    HF_CHECK(with_source(file, [&](const GunzipStream::Source& source) -> Result<void> {
      GunzipStream stream(source);
      Bytes piece(kPieceBytes);
      for (;;) {
        HF_TRY(const size_t n, stream.read(piece));
        if (n == 0) return {};
        if (kept) text.append(as_text(ByteSpan(piece).first(std::min<uint64_t>(n, kMaxParsedBytes - text.size()))));
      }
    }));
    return text;
  }

  Result<void> read_items(const std::string& file) {
    archive_ = true;
    return with_source(file, [this](const GunzipStream::Source& source) {
      return read_archive(source, {}, [this](const std::string& path, std::string_view content) { return take(path, content); });
    });
  }

  Result<void> take(const std::string& path, std::string_view content) {
    HF_TRY(const auto item, parse_item_path(path));
    if (!item) return {};
    ++check_.items;
    const auto object = parse_object(content);
    if (!object) {
      problem("in the archive " + path + " is no object: " + object.error().message());
      return {};
    }
    const json::object& metadata = object_at(*object, "metadata");
    if (view_at(metadata, "name") != item->name || view_at(metadata, "namespace") != item->name_space) problem("in the archive there is another object under " + path);
    items_.insert(text_at(*object, "apiVersion") + "/" + text_at(*object, "kind") + " " + item->path());
    return {};
  }

  Result<void> read_list(const std::string& file) {
    HF_TRY(const std::string text, unpacked(file));
    HF_TRY(list_, parse_object(text));
    listed_ = true;
    return {};
  }

  void compare() {
    if (!archive_) problem("there is no archive " + name_ + ".tar.gz");
    if (!listed_) problem("there is no resource list to compare the archive with");
    if (!archive_ || !listed_) return;
    for (const auto& [kind, names] : list_) {
      if (!names.is_array()) continue;
      for (const json::value& v : names.get_array()) {
        const std::string item = std::string(kind) + " " + (v.is_string() ? std::string(v.get_string()) : std::string());
        if (items_.erase(item) == 0) problem("the resource list names " + item + ", the archive does not have it");
      }
    }
    for (const std::string& item : items_) problem("the archive has " + item + ", the resource list does not name it");
  }

  const BackupPlace& place_;
  const std::string& name_;
  const std::stop_token stop_;
  PointCheck check_;
  std::unordered_set<std::string> items_;  // "v1/ConfigMap shop/cfg", those of the archive that the list has not named
  json::object list_;
  bool archive_ = false, listed_ = false;
};

}  // namespace

Result<PointCheck> check_point(const BackupPlace& place, const std::string& name, std::stop_token stop) {
  HF_CHECK(check_backup_name(name));
  return Check(place, name, std::move(stop)).run();
}

}  // namespace holdfast::k8s
