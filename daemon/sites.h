// Other sites: S3 buckets elsewhere that keep copies of restore points; as the admin API and the command line see them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/retention.h"

namespace holdfast {

class ObjectStore;

struct NewSite {
  std::string name;
  std::string url, bucket, region = "us-east-1";
  std::string access_key, secret;
  std::string ca_pem;  // that vouches for it; empty: the system's authorities
  uint64_t bytes_per_second = 0;  // as in SiteStatus
};

// Less than this and a part of a copy would take hours.
inline constexpr uint64_t kLeastBytesPerSecond = 64 << 10;

struct SiteStatus {
  std::string name, url, bucket, region, access_key;
  int64_t added_ms = 0;
  uint64_t bytes_per_second = 0;  // to it and from it together, at most; 0: as fast as it goes
};

// What a site can do, found out by doing it under holdfast/probe/.
struct SiteFindings {
  bool usable = false;     // objects can be written, read, listed and removed
  std::string problem;     // why not
  bool conditional_writes = false, tags = false, object_lock = false;
  std::string versioning;  // "Enabled", "Suspended", or empty
  int64_t clock_ahead_ms = 0;
};

// A restore point at a site, as its marker there says.
struct SiteUnit {
  std::string cluster, backup, source;  // which appliance copied it
  std::string policy, tier;             // empty: no policy asked for the backup
  int64_t started_ms = 0, copied_ms = 0;
  int64_t expires_ms = 0;               // 0: no date says so
  int64_t locked_until_ms = 0;          // nobody can remove it there before; 0: it was not locked
};

// A copy that something is being done with, or was since the daemon's start, or that failed.
struct CopyStatus {
  // "waiting", "copying", "checking", "fetching", "laying out", "clearing", "unhiding"; "failed", "whole", "damaged", "fetched",
  // "laid out", "cleared", "unhidden"
  std::string cluster, backup, state, reason;
  uint64_t objects = 0, objects_done = 0, bytes = 0, bytes_done = 0;
  std::vector<std::string> damage;  // what is wrong with a copy that was checked

  bool open() const { return state.ends_with("ing") || state == "laying out"; }
};

// A copy that lies in a prefix of its own at its site, for Velero to restore volumes from.
struct SiteLayout {
  std::string cluster, backup, prefix;
  bool whole = false;  // else it is being laid out, or that was cut off
};

struct SiteCopies {
  std::vector<SiteUnit> units;      // by cluster and start
  std::vector<CopyStatus> copies;
  std::vector<SiteLayout> layouts;
};

// What a tier of a policy wants copied.
struct TierCopy {
  enum class Mode { kAll, kLatest };  // every good point that is not there yet, or the newest one alone
  std::string site;
  Mode mode = Mode::kAll;
  RetentionRule retention;  // there
  int64_t lock_ms = 0;      // locked there for so long after its start; 0: not at all
  // Besides those of the tier: restore points of the cluster that no policy made and that bear all of these. Empty: none.
  std::map<std::string, std::string> labels;
};

// The same, for the one who does it.
struct CopyOrder {
  std::string cluster, policy, tier, time_zone;
  TierCopy copy;
};

// What an order has come to, when it was last looked at.
struct OrderStatus {
  std::string cluster, policy, tier, site;
  bool looked_at = false;      // since the daemon's start
  int64_t newest_ms = 0;       // when the newest restore point there began; 0: there is none
  uint64_t there = 0, due = 0; // copies that the tier has there; that are still to be made
  std::string problem;         // why that is not known now
};

// Thread-safe; calls may block for as long as a site does not answer, a minute or two.
class SiteService {
 public:
  virtual ~SiteService() = default;
  // Nothing is kept of a site that is not usable.
  virtual Result<SiteFindings> add_site(const NewSite& site) = 0;
  virtual std::vector<SiteStatus> sites() const = 0;
  virtual Result<SiteFindings> check_site(const std::string& name) = 0;
  // For what runs, too. kInvalidArgument: less than kLeastBytesPerSecond, and not 0.
  virtual Result<void> limit_site(const std::string& name, uint64_t bytes_per_second) = 0;
  // Forgets it; what it holds stays there.
  virtual Result<void> remove_site(const std::string& name) = 0;

  // Returns when it stands in line. kAlreadyExists: it does so already, or the site has it.
  virtual Result<void> start_copy(const std::string& site, const std::string& cluster, const std::string& backup) = 0;
  // Every byte of a copy is read again and compared with what was copied; of the repositories with its volumes' data only where
  // `volumes` says so: else whether each blob is there, with its size. Returns when it stands in line.
  virtual Result<void> check_copy(const std::string& site, const std::string& cluster, const std::string& backup, bool volumes) = 0;
  // Brings a copy back. It stays here until it is deleted by hand, whatever rule or TTL it has. Returns when it stands in line.
  // With `volumes` the repositories that hold the data of its volumes, too. kAlreadyExists: it is here.
  virtual Result<void> start_fetch(const std::string& site, const std::string& cluster, const std::string& backup, bool volumes) = 0;
  // Lays a copy out in a prefix of its own there, with its volumes' data as it was when it was copied: one that is not the newest
  // can be restored only so. Returns when it stands in line.
  virtual Result<void> start_layout(const std::string& site, const std::string& cluster, const std::string& backup) = 0;
  // Removes that prefix. Returns when it stands in line.
  virtual Result<void> start_clearing(const std::string& site, const std::string& cluster, const std::string& backup) = 0;
  // A copy as a store that can be read: the objects of its restore point, under the keys that they have there. kNotFound: there is no such copy.
  virtual Result<std::shared_ptr<ObjectStore>> open_copy(const std::string& site, const std::string& cluster, const std::string& backup) = 0;
  // Of everything that policies want copied. Without a look at a site.
  virtual std::vector<OrderStatus> orders() const = 0;
  // What keeps copies that policies want from being made, a line each.
  virtual std::vector<std::string> alarms() const = 0;
  // Locked copies that somebody hid: their markers are removed, as far as what is locked can be.
  virtual Result<std::vector<SiteUnit>> hidden_copies(const std::string& site) = 0;
  // Brings a locked copy to light, whatever was removed of it or written over it. Returns when it stands in line.
  virtual Result<void> start_unhiding(const std::string& site, const std::string& cluster, const std::string& backup) = 0;
  // Without a look at the site.
  virtual Result<std::vector<CopyStatus>> transfers(const std::string& site) = 0;
  // What the site holds is read from the site.
  virtual Result<SiteCopies> copies(const std::string& site) = 0;
  // Its marker first, then velero-backup.json, then the rest. Only what bears a marker can be removed. A copy that has
  // failed is no longer shown. kPermissionDenied (kLock): it is locked.
  virtual Result<void> remove_copy(const std::string& site, const std::string& cluster, const std::string& backup) = 0;
};

}  // namespace holdfast
