#include "daemon/replicator/unit_fetcher.h"

#include <set>

#include "daemon/replicator/copy_plan.h"
#include "daemon/replicator/repository_list.h"
#include "daemon/replicator/side_by_side.h"
#include "storage/base/digest.h"

namespace holdfast {

namespace {

class UnitFetcher {
 public:
  UnitFetcher(RemoteStore& site, const SiteUnit& unit, bool volumes, const CopySource& into, CopyLimits limits, CopyProgress& progress, const std::stop_token& stop)
      : site_(site), unit_(unit), volumes_(volumes), into_(into), limits_(limits), progress_(progress), stop_(stop), document_("backups/" + unit.backup + "/velero-backup.json") {}

  Result<void> run() {
    if (const auto here = into_.store->get(into_.bucket, into_.prefix + document_, {}); here && !(*here)->info().is_marker) return error(Code::kAlreadyExists, "there is a backup \"" + unit_.backup + "\" of cluster \"" + unit_.cluster + "\" here");
    HF_TRY(const UnitContents contents, read_marker(site_, unit_));
    const UnitObject* document = nullptr;
    for (const UnitObject& o : contents.objects) {
      progress_.bytes += o.size_bytes;
      if (o.key == document_) document = &o;
      else data_.push_back({&o, at_site(o)});
    }
    progress_.objects = contents.objects.size();
    if (volumes_) HF_CHECK(look_at_repositories(contents.repositories));
    if (document == nullptr) return error(Code::kCorrupt, "the marker at the site does not name velero-backup.json");
    HF_CHECK(fetch_data());
    for (const RepositoryList& list : repositories_) HF_CHECK(fetch_own(list));
    return fetch({document, at_site(*document)});
  }

 private:
  struct Wanted {
    const UnitObject* object;
    std::string key;  // at the site
  };

  std::string at_site(const UnitObject& o) const { return "clusters/" + unit_.cluster + "/" + o.key; }

  bool is_here(const std::string& name) const {
    const auto here = into_.store->get(into_.bucket, into_.prefix + name, {});
    return here && !(*here)->info().is_marker;
  }

  Result<void> look_at_repositories(const std::vector<RepositoryRef>& refs) {
    for (const RepositoryRef& ref : refs) {
      if (is_here(ref.name + "/kopia.repository")) {
        return error(Code::kAlreadyExists, "the data of its volumes is in " + ref.name + ", and there is such a repository here, which has gone its own way since: lay it out at the site, or fetch it without the volumes");
      }
      HF_TRY(RepositoryList list, read_list(site_, unit_, ref));
      HF_CHECK(nothing_else_here(list));
      progress_.objects += list.blobs();
      progress_.bytes += list.size_bytes();
      repositories_.push_back(std::move(list));
    }
    for (const RepositoryList& list : repositories_) {
      const RepositoryPlace place(unit_.cluster, list.repository);
      for (const auto* blobs : {&list.packs, &list.indexes}) {
        for (const UnitObject& o : *blobs) data_.push_back({&o, place.key_of(o)});
      }
    }
    return {};
  }

  // Indexes of something else would say what is and is not in it.
  Result<void> nothing_else_here(const RepositoryList& list) const {
    std::set<std::string> indexes;
    for (const UnitObject& o : list.indexes) indexes.insert(into_.prefix + o.key);
    ListQuery query;
    query.prefix = into_.prefix + list.repository + "/";
    for (;;) {
      HF_TRY(const ListPage page, into_.store->list(into_.bucket, query));
      for (const ObjectInfo& o : page.entries) {
        const std::string_view name = std::string_view(o.key).substr(query.prefix.size());
        if (blob_kind(name) == BlobKind::kIndex && !indexes.contains(o.key)) return error(Code::kAlreadyExists, "there is something left of another repository here: " + into_.bucket + "/" + o.key + "; remove what is under " + query.prefix);
      }
      if (!page.truncated) return {};
      query.after_key = page.next_key;
    }
  }

  Result<void> fetch_own(const RepositoryList& list) {
    for (const auto& [name, bytes] : list.own_opener_last()) {
      HF_TRY(auto sink, into_.store->open_body(into_.bucket, bytes.size()));
      HF_CHECK(sink->append(as_bytes(bytes)));
      HF_CHECK(put(name, hex(as_bytes(Digest::of(DigestKind::kMd5, as_bytes(bytes)))), std::move(sink)));
      progress_.bytes_done += bytes.size();
      ++progress_.objects_done;
    }
    return {};
  }

  Result<void> fetch_data() {
    const uint64_t wanted = std::min<uint64_t>(limits_.transfers, std::max<uint64_t>(limits_.memory_bytes / kPartBytes, 1));
    return side_by_side(data_.size(), wanted, [this](size_t index) { return fetch(data_[index]); });
  }

  Result<void> fetch(const Wanted& wanted) {
    const UnitObject& o = *wanted.object;
    const auto here = into_.store->get(into_.bucket, into_.prefix + o.key, {});
    if (here && !(*here)->info().is_marker && (*here)->info().size_bytes == o.size_bytes && (*here)->info().etag == o.etag) {
      progress_.bytes_done += o.size_bytes;
    } else if (o.part_bytes.empty()) {
      HF_CHECK(fetch_whole(wanted));
    } else {
      HF_CHECK(fetch_parts(wanted));
    }
    ++progress_.objects_done;
    return {};
  }

  // Gives the MD5 of what came.
  Result<std::string> pour(const std::string& key, uint64_t offset_bytes, uint64_t size_bytes, BodySink& sink) {
    Digest md5(DigestKind::kMd5);
    for (uint64_t done = 0; done < size_bytes;) {
      if (stop_.stop_requested()) return error(Code::kUnavailable, "it was stopped");
      const uint64_t n = std::min(kPartBytes, size_bytes - done);
      HF_TRY(const std::string piece, site_.read(key, offset_bytes + done, n, ""));
      md5.update(piece);
      HF_CHECK(sink.append(as_bytes(piece)));
      done += n;
      progress_.bytes_done += n;
    }
    return hex(as_bytes(md5.finish()));
  }

  Status other_bytes(const UnitObject& o) const { return Status(Code::kCorrupt, "the site has other bytes of " + o.key + " than it got"); }

  Result<void> fetch_whole(const Wanted& wanted) {
    const UnitObject& o = *wanted.object;
    HF_TRY(auto sink, into_.store->open_body(into_.bucket, o.size_bytes));
    HF_TRY(const std::string etag, pour(wanted.key, 0, o.size_bytes, *sink));
    if (etag != o.etag) return std::unexpected(other_bytes(o));
    return put(o.key, etag, std::move(sink));
  }

  Result<void> put(const std::string& name, const std::string& etag, std::unique_ptr<BodySink> sink) {
    PutRequest request;
    request.bucket = into_.bucket;
    request.key = into_.prefix + name;
    request.etag = etag;
    HF_CHECK(into_.store->put(std::move(request), std::move(sink)));
    return {};
  }

  // In the parts that it had, so that its ETag is the same again.
  Result<void> fetch_parts(const Wanted& wanted) {
    const UnitObject& o = *wanted.object;
    UploadRequest request;
    request.bucket = into_.bucket;
    request.key = into_.prefix + o.key;
    HF_TRY(const Upload upload, into_.store->create_upload(std::move(request)));
    const auto done = fill_upload(wanted, upload);
    if (!done) (void)into_.store->abort_upload(into_.bucket, upload.key, upload.id);
    return done;
  }

  Result<void> fill_upload(const Wanted& wanted, const Upload& upload) {
    const UnitObject& o = *wanted.object;
    CompleteRequest complete;
    complete.bucket = into_.bucket;
    complete.key = upload.key;
    complete.upload_id = upload.id;
    complete.size_bytes = o.size_bytes;
    complete.min_part_bytes = 0;
    uint64_t offset = 0;
    std::string digests;
    for (const uint64_t part_bytes : o.part_bytes) {
      HF_TRY(auto sink, into_.store->open_body(into_.bucket, part_bytes));
      PartInfo part;
      part.number = static_cast<uint32_t>(complete.parts.size() + 1);
      HF_TRY(part.etag, pour(wanted.key, offset, part_bytes, *sink));
      complete.parts.push_back({part.number, part.etag, {}});
      HF_CHECK(into_.store->put_part(into_.bucket, upload.key, upload.id, part, std::move(sink)));
      const auto raw = from_hex(part.etag);
      if (raw) digests += as_text(*raw);
      offset += part_bytes;
    }
    if (hex(as_bytes(Digest::of(DigestKind::kMd5, as_bytes(digests)))) + "-" + std::to_string(complete.parts.size()) != o.etag) return std::unexpected(other_bytes(o));
    HF_CHECK(into_.store->complete_upload(std::move(complete)));
    return {};
  }

  RemoteStore& site_;
  const SiteUnit& unit_;
  const bool volumes_;
  const CopySource& into_;
  const CopyLimits limits_;
  CopyProgress& progress_;
  const std::stop_token& stop_;
  const std::string document_;
  std::vector<RepositoryList> repositories_;
  std::vector<Wanted> data_;
};

}  // namespace

Result<void> fetch_unit(RemoteStore& site, const SiteUnit& unit, bool volumes, const CopySource& into, CopyLimits limits, CopyProgress& progress, const std::stop_token& stop) {
  return UnitFetcher(site, unit, volumes, into, limits, progress, stop).run();
}

}  // namespace holdfast
