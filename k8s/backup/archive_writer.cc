#include "k8s/backup/archive_writer.h"

#include <archive.h>
#include <archive_entry.h>

#include <ctime>

namespace holdfast::k8s {

void ArchiveWriter::Free::operator()(archive* a) const { archive_write_free(a); }
void ArchiveWriter::Free::operator()(archive_entry* e) const { archive_entry_free(e); }

namespace {

// What libarchive's callback needs; it may outlive no writer.
struct Target {
  GzipWriter* gzip;
  std::optional<Status>* failed;
};

la_ssize_t on_write(archive* a, void* data, const void* bytes, size_t n) {
  auto* target = static_cast<Target*>(data);
  auto done = target->gzip->append(ByteSpan(static_cast<const std::byte*>(bytes), n));
  if (done) return static_cast<la_ssize_t>(n);
  *target->failed = std::move(done.error());
  archive_set_error(a, EIO, "the store refused");
  return -1;
}

int on_free(archive*, void* data) {
  delete static_cast<Target*>(data);
  return ARCHIVE_OK;
}

}  // namespace

ArchiveWriter::ArchiveWriter(GzipWriter::Sink sink)
    : gzip_(std::move(sink)), archive_(archive_write_new()), entry_(archive_entry_new()) {
  // ustar, and pax headers only where a name is too long for it.
  archive_write_set_format_pax_restricted(archive_.get());
  archive_write_set_bytes_per_block(archive_.get(), 64 << 10);
  archive_write_set_bytes_in_last_block(archive_.get(), 1);
}

ArchiveWriter::~ArchiveWriter() {
  // Closing writes the end mark; without finish() nobody may see one.
  archive_write_fail(archive_.get());
}

std::unexpected<Status> ArchiveWriter::failed() {
  if (sink_failed_) return std::unexpected(*sink_failed_);
  const char* why = archive_error_string(archive_.get());
  return error(Code::kInternal, std::string("the archive cannot be written: ") + (why != nullptr ? why : "unknown"));
}

Result<void> ArchiveWriter::begin() {
  if (archive_write_open2(archive_.get(), new Target{&gzip_, &sink_failed_}, nullptr, on_write, nullptr, on_free) != ARCHIVE_OK) return failed();
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
  if (archive_write_data(archive_.get(), content.data(), content.size()) != static_cast<la_ssize_t>(content.size())) return failed();
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
  if (archive_write_close(archive_.get()) != ARCHIVE_OK) return failed();
  return gzip_.finish();
}

}  // namespace holdfast::k8s
