// How a restore point lies at a site. Its objects are under clusters/CLUSTER/, as Velero has them, and its marker, written last and
// removed first, under holdfast/units/, outside of that: a listing of markers says everything that retention needs to know.
#pragma once

#include "daemon/sites.h"
#include "storage/remote_store.h"

namespace holdfast {

// One object of a unit, relative to clusters/CLUSTER/.
struct UnitObject {
  std::string key;
  uint64_t size_bytes = 0;
  std::string etag;
  Checksum checksum;
  std::vector<uint64_t> part_bytes;  // of its parts, by which its ETag is made; empty: it is in one
};

// A repository that a unit needs: repository_list.h.
struct RepositoryRef {
  std::string name;    // "kopia/NS"
  std::string digest;  // SHA-256 of the list of what the unit needs of it
  uint64_t blobs = 0, size_bytes = 0;
};

// What a marker names.
struct UnitContents {
  std::vector<UnitObject> objects;
  std::vector<RepositoryRef> repositories;
};

// "kopia/NS"
bool is_repository(std::string_view name);
std::string unit_prefix(const std::string& cluster, const std::string& backup);  // clusters/CLUSTER/backups/BACKUP/
// holdfast/units/CLUSTER/BACKUP,START,EXPIRES,SOURCE,POLICY,TIER and, of one that is locked, ",LOCKED": until when
std::string marker_key(const SiteUnit& unit);
// Nothing where it is no marker's key.
std::optional<SiteUnit> unit_of_key(const std::string& key);
// Prefix of the markers of a cluster; empty: of all.
std::string marker_prefix(const std::string& cluster);

// JSON: the unit and its objects with their checksums, and its repositories.
std::string marker_body(const SiteUnit& unit, const UnitContents& contents);
Result<UnitContents> contents_of_marker(const std::string& body);
// Of a unit, from its marker's body. kCorrupt, too: it names what is no part of that backup; one that somebody else wrote must not lead anywhere else.
Result<UnitContents> contents_of_unit(const SiteUnit& unit, const std::string& body);
// The same, read from the site.
Result<UnitContents> read_marker(RemoteStore& site, const SiteUnit& unit);
inline constexpr uint64_t kMaxMarkerBytes = 64 << 20;
// Whoever began to remove something that is younger may still be at it.
inline constexpr int64_t kRemovalGoesOnMs = 600'000;

// Every object under a prefix, page by page.
Result<std::vector<RemoteObject>> list_all(RemoteStore& site, const std::string& prefix);
// Every unit that a site holds, of one cluster or (empty) of all; `modified` of the marker is when it was copied.
Result<std::vector<SiteUnit>> list_units(RemoteStore& site, const std::string& cluster);

}  // namespace holdfast
