#include "k8s/bucket/archive_writer.h"

#include <archive.h>
#include <archive_entry.h>

#include <ctime>

namespace holdfast::k8s {

void ArchiveWriter::Free::operator()(archive* a) const { archive_write_free(a); }
void ArchiveWriter::Free::operator()(archive_entry* e) const { archive_entry_free(e); }

// libarchive hears of no failure: after one it would not free what it holds.
struct ArchiveWriter::Callbacks {
  static la_ssize_t write(archive*, void* data, const void* bytes, size_t n) {
    auto* self = static_cast<ArchiveWriter*>(data);
    if (!self->ended_ && !self->sink_failed_) {
      auto done = self->gzip_.append(ByteSpan(static_cast<const std::byte*>(bytes), n));
      if (!done) self->sink_failed_ = std::move(done.error());
    }
    return static_cast<la_ssize_t>(n);
  }
};

ArchiveWriter::ArchiveWriter(GzipWriter::Sink sink)
    : gzip_(std::move(sink)), archive_(archive_write_new()), entry_(archive_entry_new()) {
  // ustar, and pax headers only where a name is too long for it.
  archive_write_set_format_pax_restricted(archive_.get());
  archive_write_set_bytes_per_block(archive_.get(), 64 << 10);
  archive_write_set_bytes_in_last_block(archive_.get(), 1);
}

ArchiveWriter::~ArchiveWriter() {
  ended_ = true;  // freeing writes an end mark; without finish() nobody may see one
}

std::unexpected<Status> ArchiveWriter::failed() {
  if (sink_failed_) return std::unexpected(*sink_failed_);
  const char* why = archive_error_string(archive_.get());
  return error(Code::kInternal, std::string("the archive cannot be written: ") + (why != nullptr ? why : "unknown"));
}

Result<void> ArchiveWriter::begin() {
  if (archive_write_open(archive_.get(), this, nullptr, Callbacks::write, nullptr) != ARCHIVE_OK) return failed();
  return add("metadata/version", std::string(kFormatVersion) + "\n");
}

Result<void> ArchiveWriter::add(const std::string& path, std::string_view content) {
  archive_entry* e = archive_entry_clear(entry_.get());
  archive_entry_set_pathname(e, path.c_str());
  archive_entry_set_filetype(e, AE_IFREG);
  archive_entry_set_perm(e, 0755);
  archive_entry_set_size(e, static_cast<la_int64_t>(content.size()));
  archive_entry_set_mtime(e, std::time(nullptr), 0);
  if (archive_write_header(archive_.get(), e) != ARCHIVE_OK) return failed();
  const bool whole = archive_write_data(archive_.get(), content.data(), content.size()) == static_cast<la_ssize_t>(content.size());
  if (!whole || sink_failed_) return failed();
  return {};
}

Result<void> ArchiveWriter::add_object(const std::string& group_resource, const std::string& version, const std::string& name_space,
                                       const std::string& name, std::string_view json) {
  const std::string root = "resources/" + group_resource + "/";
  const std::string tail = (name_space.empty() ? "cluster/" : "namespaces/" + name_space + "/") + name + ".json";
  HF_CHECK(add(root + tail, json));
  return add(root + version + "-preferredversion/" + tail, json);
}

Result<void> ArchiveWriter::finish() {
  if (archive_write_close(archive_.get()) != ARCHIVE_OK || sink_failed_) return failed();
  return gzip_.finish();
}

}  // namespace holdfast::k8s
