// Logging in to a LUN and proving that it is ours: identity, capacity, reservation. Private to storage/device.
#pragma once

#include <chrono>
#include <memory>

#include "storage/device/open_device.h"

struct iscsi_context;

namespace holdfast {

struct IscsiAddress {
  std::string portal;  // host:port
  std::string target;  // iqn...
  int lun = 0;
};
// kInvalidArgument when it is not iscsi://PORTAL[:PORT]/TARGET/LUN.
Result<IscsiAddress> parse_iscsi_url(const std::string& url);

struct FreeIscsi {
  void operator()(iscsi_context* context) const;
};
using IscsiContext = std::unique_ptr<iscsi_context, FreeIscsi>;

struct IscsiLun {
  std::string identity;     // VPD 0x83, hexadecimal
  uint32_t sector_bytes = 512;
  uint32_t physical_bytes = 512;
  uint64_t size_bytes = 0;
  bool can_unmap = false;
  uint32_t max_unmap_sectors = 0;
  uint64_t most_bytes = 0, best_bytes = 0;  // of a command, see LinkInfo
  bool reservations = false;  // the target offers persistent reservations
};

// Connects, logs in and reads what the LUN says of itself. Blocks for at most about 10 s.
Result<IscsiContext> iscsi_log_in(const IscsiAddress& address, const DeviceOptions& options, IscsiLun& lun);

// Registers this host's key and takes the Write Exclusive, Registrants Only reservation. kPermissionDenied names
// the key that holds it, unless options.take_over preempts it.
Result<void> iscsi_reserve(iscsi_context* context, int lun, const DeviceOptions& options);

// Is the reservation still ours? kPermissionDenied when another key holds it.
Result<void> iscsi_check_reservation(iscsi_context* context, int lun, uint64_t host_key);

// Of a command that does nothing: the best of a few, which is what the link costs, not what else the target had to do.
std::chrono::microseconds iscsi_round_trip(iscsi_context* context, int lun);

// "key 0123...": who holds the reservation; empty: nobody.
std::string iscsi_reservation_holder(iscsi_context* context, int lun);

}  // namespace holdfast
