#include "daemon/replicator/unit_layout.h"

#include "daemon/replicator/object_sender.h"
#include "daemon/replicator/repository_list.h"
#include "daemon/replicator/side_by_side.h"
#include "storage/base/names.h"
#include "storage/base/text.h"

namespace holdfast {

namespace {

// Which unit is laid out, and how far: written first, and again when all is there.
const std::string kRecords = "holdfast/laid-out/";
std::string record_key(const std::string& cluster, const std::string& backup) { return kRecords + cluster + "/" + backup; }
std::string record_of(const SiteUnit& unit, bool whole) { return marker_key(unit) + (whole ? "\nwhole\n" : "\n"); }

class UnitLayout {
 public:
  UnitLayout(RemoteStore& site, const SiteUnit& unit, CopyLimits limits, CopyProgress& progress, const std::stop_token& stop)
      : site_(site), unit_(unit), limits_(limits), progress_(progress), stop_(stop), prefix_(layout_prefix(unit.cluster, unit.backup)), document_("backups/" + unit.backup + "/velero-backup.json") {}

  Result<void> run() {
    HF_CHECK(plan());
    HF_CHECK(begin());
    for (int round = 0;; ++round) {
      HF_TRY(const auto there, list_by_key(site_, prefix_));
      std::vector<const Piece*> missing;
      for (const Piece& p : pieces_) {
        const auto found = there.find(prefix_ + p.name);
        if (found == there.end() || found->second.size_bytes != p.size_bytes) missing.push_back(&p);
      }
      if (round == 0) progress_.objects_done += pieces_.size() - missing.size();
      if (missing.empty()) break;
      if (round == 2) return error(Code::kCorrupt, site_.place().url + "/" + site_.place().bucket + " loses what it accepts: " + prefix_ + missing.front()->name + " is not there");
      HF_CHECK(copy(missing));
    }
    for (const RepositoryList& list : repositories_) HF_CHECK(put_own(list));
    HF_CHECK(site_.copy("clusters/" + unit_.cluster + "/" + document_, prefix_ + document_));
    ++progress_.objects_done;
    HF_CHECK(site_.put({.key = record_key(unit_.cluster, unit_.backup), .content_type = "text/plain"}, record_of(unit_, true)));
    return {};
  }

 private:
  struct Piece {
    std::string name, key;  // relative to the layout; where it is at the site
    uint64_t size_bytes;
  };

  Result<void> plan() {
    HF_TRY(const UnitContents contents, read_marker(site_, unit_));
    for (const UnitObject& o : contents.objects) {
      const std::string key = "clusters/" + unit_.cluster + "/" + o.key;
      if (o.key != document_) pieces_.push_back({o.key, key, o.size_bytes});
    }
    for (const RepositoryRef& ref : contents.repositories) {
      HF_TRY(RepositoryList list, read_list(site_, unit_, ref));
      const RepositoryPlace place(unit_.cluster, ref.name);
      for (const auto* blobs : {&list.packs, &list.indexes}) {
        for (const UnitObject& o : *blobs) pieces_.push_back({o.key, place.key_of(o), o.size_bytes});
      }
      progress_.objects += list.own.size();
      list.packs.clear();
      list.indexes.clear();
      repositories_.push_back(std::move(list));
    }
    progress_.objects += pieces_.size() + 1;
    for (const Piece& p : pieces_) progress_.bytes += p.size_bytes;
    return {};
  }

  // What is left of another one of that name must not be in it.
  Result<void> begin() {
    const std::string record = record_key(unit_.cluster, unit_.backup);
    const auto before = site_.get(record, 1 << 20);
    if (!before && before.error().code() != Code::kNotFound) return std::unexpected(before.error());
    if (before && !before->starts_with(record_of(unit_, false))) HF_CHECK(clear_layout(site_, unit_.cluster, unit_.backup));
    HF_CHECK(site_.put({.key = record, .content_type = "text/plain"}, record_of(unit_, false)));
    return {};
  }

  Result<void> copy(const std::vector<const Piece*>& missing) {
    return side_by_side(missing.size(), limits_.transfers, [&](size_t index) { return copy(*missing[index]); });
  }

  Result<void> copy(const Piece& p) {
    if (stop_.stop_requested()) return error(Code::kUnavailable, "it was stopped");
    const auto copied = site_.copy(p.key, prefix_ + p.name);
    if (!copied && copied.error().is(Code::kNotFound, Subject::kKey)) return error(Code::kCorrupt, p.key + " is not at the site any more");
    if (!copied) return std::unexpected(copied.error());
    ++progress_.objects_done;
    progress_.bytes_done += p.size_bytes;
    return {};
  }

  Result<void> put_own(const RepositoryList& list) {
    for (const auto& [name, bytes] : list.own_opener_last()) {
      HF_CHECK(site_.put({.key = prefix_ + name}, bytes));
      ++progress_.objects_done;
    }
    return {};
  }

  RemoteStore& site_;
  const SiteUnit& unit_;
  const CopyLimits limits_;
  CopyProgress& progress_;
  const std::stop_token& stop_;
  const std::string prefix_, document_;
  std::vector<Piece> pieces_;
  std::vector<RepositoryList> repositories_;  // their kopia.*
};

}  // namespace

std::string layout_prefix(const std::string& cluster, const std::string& backup) { return "laid-out/" + cluster + "/" + backup + "/"; }

Result<void> lay_out_unit(RemoteStore& site, const SiteUnit& unit, CopyLimits limits, CopyProgress& progress, const std::stop_token& stop) {
  return UnitLayout(site, unit, limits, progress, stop).run();
}

Result<void> clear_layout(RemoteStore& site, const std::string& cluster, const std::string& backup) {
  HF_TRY(const auto record, site.head(record_key(cluster, backup)));
  const std::string prefix = layout_prefix(cluster, backup), document = prefix + "backups/" + backup + "/velero-backup.json";
  HF_CHECK(site.remove(document));
  HF_TRY(const auto there, list_all(site, prefix));
  for (const RemoteObject& o : there) HF_CHECK(site.remove(o.key));
  return site.remove(record.key);
}

Result<std::vector<SiteLayout>> list_layouts(RemoteStore& site) {
  HF_TRY(const auto records, list_all(site, kRecords));
  std::vector<SiteLayout> layouts;
  for (const RemoteObject& o : records) {
    const auto path = split_text(std::string_view(o.key).substr(kRecords.size()), '/');
    if (path.size() != 2 || !is_dns_label(path[0]) || !is_dns_subdomain(path[1])) continue;
    SiteLayout& layout = layouts.emplace_back(SiteLayout{std::string(path[0]), std::string(path[1]), layout_prefix(std::string(path[0]), std::string(path[1])), false});
    HF_TRY(const std::string record, site.get(o.key, 1 << 20));
    layout.whole = record.ends_with("\nwhole\n");
  }
  return layouts;
}

}  // namespace holdfast
