// The archive of a backup, B.tar.gz: regular files in a gzip-compressed tar, as Velero's pkg/archive reads it.
#pragma once

#include "k8s/bucket/gzip_writer.h"

struct archive;
struct archive_entry;

namespace holdfast::k8s {

// Not thread-safe.
class ArchiveWriter {
 public:
  explicit ArchiveWriter(GzipWriter::Sink sink);
  ~ArchiveWriter();
  ArchiveWriter(const ArchiveWriter&) = delete;

  // Begins with metadata/version.
  Result<void> begin();
  Result<void> add(const std::string& path, std::string_view content);
  // An object under the path that restores read and under the one that names its API version.
  Result<void> add_object(const std::string& group_resource, const std::string& version, const std::string& name_space,
                          const std::string& name, std::string_view json);
  Result<void> finish();

 private:
  struct Free {
    void operator()(archive* a) const;
    void operator()(archive_entry* e) const;
  };
  struct Callbacks;
  std::unexpected<Status> failed();

  GzipWriter gzip_;
  std::optional<Status> sink_failed_;
  bool ended_ = false;
  std::unique_ptr<archive, Free> archive_;
  std::unique_ptr<archive_entry, Free> entry_;
};

inline constexpr const char* kFormatVersion = "1.1.0";

}  // namespace holdfast::k8s
