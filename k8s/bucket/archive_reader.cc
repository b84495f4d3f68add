#include "k8s/bucket/archive_reader.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "storage/base/text.h"

namespace holdfast::k8s {

namespace {

constexpr size_t kStepBytes = 256 << 10;

struct Free {
  void operator()(archive* a) const { archive_read_free(a); }
};

bool leads_out(const std::string& path) {
  const auto parts = split_text(path, '/');
  return std::any_of(parts.begin(), parts.end(), [](std::string_view p) { return p == ".." || p == "."; }) || path.starts_with('/') ||
         path.find('\0') != std::string::npos || path.find("//") != std::string::npos;
}

// One reading.
class Reading {
 public:
  Reading(GunzipStream::Source source, const ArchiveLimits& limits, const OnEntry& on_entry)
      : limits_(limits), on_entry_(on_entry), gunzip_(std::move(source)), unpacked_(kStepBytes), archive_(archive_read_new()) {}

  Result<void> run() {
    archive_read_support_format_tar(archive_.get());
    archive_read_support_filter_none(archive_.get());
    if (archive_read_open(archive_.get(), this, nullptr, pull, nullptr) != ARCHIVE_OK) return failed();
    for (archive_entry* entry = nullptr;;) {
      const int result = archive_read_next_header(archive_.get(), &entry);
      if (result == ARCHIVE_EOF) break;
      if (result != ARCHIVE_OK && result != ARCHIVE_WARN) return failed();
      if (++entries_ > limits_.entries) return bad("it has more than " + std::to_string(limits_.entries) + " entries");
      HF_CHECK(take(entry));
    }
    return drain();
  }

 private:
  static la_ssize_t pull(archive* a, void* data, const void** bytes) {
    auto* self = static_cast<Reading*>(data);
    auto n = self->next_piece();
    if (!n) {
      archive_set_error(a, EIO, "unreadable");
      self->source_failed_ = std::move(n.error());
      return ARCHIVE_FATAL;
    }
    *bytes = self->unpacked_.data();
    return static_cast<la_ssize_t>(*n);
  }

  Result<size_t> next_piece() {
    HF_TRY(const size_t n, gunzip_.read(unpacked_));
    total_bytes_ += n;
    if (total_bytes_ > limits_.total_bytes) return bad("unpacked it is larger than " + std::to_string(limits_.total_bytes) + " bytes");
    return n;
  }

  Result<void> take(archive_entry* entry) {
    const char* name = archive_entry_pathname_utf8(entry);
    if (name == nullptr) name = archive_entry_pathname(entry);
    if (name == nullptr) return bad("an entry has no readable name");
    const std::string path = name;
    if (leads_out(path)) return bad("the path \"" + path.substr(0, 300) + "\" leads out of it");
    if (archive_entry_filetype(entry) == AE_IFDIR) return {};
    if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) != nullptr) return bad("\"" + path + "\" is not a file");
    const int64_t size = archive_entry_size(entry);
    if (size < 0 || static_cast<uint64_t>(size) > limits_.entry_bytes) {
      return bad("\"" + path + "\" is larger than " + std::to_string(limits_.entry_bytes) + " bytes");
    }
    content_.resize(static_cast<size_t>(size));
    size_t have = 0;
    while (have < content_.size()) {
      const la_ssize_t n = archive_read_data(archive_.get(), content_.data() + have, content_.size() - have);
      if (n < 0) return failed();
      if (n == 0) return bad("\"" + path + "\" is cut off");
      have += static_cast<size_t>(n);
    }
    return on_entry_(path, content_);
  }

  // Behind the last entry: up to the checksum at the end.
  Result<void> drain() {
    if (entries_ == 0) return bad("it is empty");
    for (;;) {
      HF_TRY(const size_t n, next_piece());
      if (n == 0) return {};
    }
  }

  static std::unexpected<Status> bad(const std::string& why) { return error(Code::kCorrupt, why); }
  std::unexpected<Status> failed() {
    if (source_failed_) return std::unexpected(*source_failed_);
    const char* why = archive_error_string(archive_.get());
    return bad(std::string("it is not a tar archive, or it is damaged: ") + (why != nullptr ? why : "unknown"));
  }

  const ArchiveLimits& limits_;
  const OnEntry& on_entry_;
  GunzipStream gunzip_;
  Bytes unpacked_;
  const std::unique_ptr<archive, Free> archive_;
  std::optional<Status> source_failed_;
  std::string content_;
  uint64_t total_bytes_ = 0, entries_ = 0;
};

}  // namespace

Result<void> read_archive(GunzipStream::Source source, const ArchiveLimits& limits, const OnEntry& on_entry) {
  return Reading(std::move(source), limits, on_entry).run();
}

GunzipStream::Source object_source(ObjectReader& reader) {
  return [&reader, at = uint64_t{0}](MutableByteSpan out) mutable -> Result<size_t> {
    const size_t n = static_cast<size_t>(std::min<uint64_t>(out.size(), reader.info().size_bytes - at));
    if (n > 0) HF_CHECK(reader.read(at, out.first(n)));
    at += n;
    return n;
  };
}

}  // namespace holdfast::k8s
