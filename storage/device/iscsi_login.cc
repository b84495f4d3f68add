#include "storage/device/iscsi_login.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "storage/device/iscsi_call.h"

namespace holdfast {

namespace {

constexpr int kCommandTimeoutS = 10;

// A command has kCommandTimeoutS by itself; this bounds the wait should its callback never come.
constexpr int kCallDeadlineS = 2 * kCommandTimeoutS;

ScsiTask inquiry(iscsi_context* context, int lun, int page, int bytes) {
  return call_scsi(context, [&](iscsi_context* c, iscsi_command_cb callback, void* data) {
    return iscsi_inquiry_task(c, lun, 1, page, bytes, callback, data);
  }, kCallDeadlineS);
}

ScsiTask reserve_in(iscsi_context* context, int lun, int action, uint16_t bytes) {
  return call_scsi(context, [&](iscsi_context* c, iscsi_command_cb callback, void* data) {
    return iscsi_persistent_reserve_in_task(c, lun, action, bytes, callback, data);
  }, kCallDeadlineS);
}

ScsiTask test_unit_ready(iscsi_context* context, int lun) {
  return call_scsi(context, [&](iscsi_context* c, iscsi_command_cb callback, void* data) {
    return iscsi_testunitready_task(c, lun, callback, data);
  }, kCallDeadlineS);
}

// UNIT ATTENTIONs of the past (reset, reservations) are told once each.
void clear_attentions(iscsi_context* context, int lun) {
  for (int i = 0; i < 8; ++i) {
    const ScsiTask ready = test_unit_ready(context, lun);
    if (!ready || ready->status == SCSI_STATUS_GOOD) return;
  }
}

Status iscsi_status(iscsi_context* context, const std::string& doing) {
  std::string text = iscsi_get_error(context);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return Status(Code::kUnavailable, Subject::kDevice, doing + ": " + text);
}

Result<std::string> identity_of(iscsi_context* context, int lun) {
  const ScsiTask task = inquiry(context, lun, SCSI_INQUIRY_PAGECODE_DEVICE_IDENTIFICATION, 255);
  if (!task || task->status != SCSI_STATUS_GOOD) return error(iscsi_status(context, "identify the LUN"));
  auto* page = static_cast<scsi_inquiry_device_identification*>(scsi_datain_unmarshall(task.get()));
  if (page == nullptr) return error(iscsi_status(context, "identify the LUN"));
  std::string all;
  for (auto* d = page->designators; d != nullptr; d = d->next) {
    if (d->association != SCSI_ASSOCIATION_LOGICAL_UNIT) continue;
    if (!all.empty()) all += ",";
    all += hex({reinterpret_cast<const std::byte*>(d->designator), static_cast<size_t>(d->designator_length)});
  }
  return "lun:" + all;
}

Result<void> read_shape(iscsi_context* context, int lun, IscsiLun& shape) {
  const ScsiTask capacity = call_scsi(context, [&](iscsi_context* c, iscsi_command_cb callback, void* data) {
    return iscsi_readcapacity16_task(c, lun, callback, data);
  }, kCallDeadlineS);
  if (!capacity || capacity->status != SCSI_STATUS_GOOD) return error(iscsi_status(context, "read the LUN's capacity"));
  const auto* c = static_cast<scsi_readcapacity16*>(scsi_datain_unmarshall(capacity.get()));
  if (c == nullptr || c->block_length == 0) return error(iscsi_status(context, "read the LUN's capacity"));
  shape.sector_bytes = c->block_length;
  shape.physical_bytes = c->block_length << c->lbppbe;
  shape.size_bytes = (c->returned_lba + 1) * c->block_length;
  shape.can_unmap = c->lbpme != 0;
  const ScsiTask limits = inquiry(context, lun, SCSI_INQUIRY_PAGECODE_BLOCK_LIMITS, 64);
  if (limits && limits->status == SCSI_STATUS_GOOD) {
    const auto* l = static_cast<scsi_inquiry_block_limits*>(scsi_datain_unmarshall(limits.get()));
    if (l != nullptr) {
      shape.max_unmap_sectors = l->max_unmap;
      shape.most_bytes = uint64_t{l->max_xfer_len} * shape.sector_bytes;
      shape.best_bytes = uint64_t{l->opt_xfer_len} * shape.sector_bytes;
    }
  }
  return {};
}

struct Reservation {
  std::vector<uint64_t> keys;
  bool reserved = false;
  uint64_t holder = 0;
};

// kUnimplemented: the target has no persistent reservations.
Result<Reservation> read_reservation(iscsi_context* context, int lun) {
  Reservation r;
  const ScsiTask keys = reserve_in(context, lun, SCSI_PERSISTENT_RESERVE_READ_KEYS, 8192);
  if (!keys) return error(iscsi_status(context, "read reservation keys"));
  if (keys->status == SCSI_STATUS_CHECK_CONDITION && keys->sense.key == SCSI_SENSE_ILLEGAL_REQUEST) {
    return error(Code::kUnimplemented, Subject::kDevice, "the target offers no persistent reservations");
  }
  const auto* k = keys->status == SCSI_STATUS_GOOD
                      ? static_cast<scsi_persistent_reserve_in_read_keys*>(scsi_datain_unmarshall(keys.get()))
                      : nullptr;
  if (k == nullptr) return error(iscsi_status(context, "read reservation keys"));
  r.keys.assign(k->keys, k->keys + k->num_keys);
  const ScsiTask held = reserve_in(context, lun, SCSI_PERSISTENT_RESERVE_READ_RESERVATION, 64);
  const auto* h = held && held->status == SCSI_STATUS_GOOD
                      ? static_cast<scsi_persistent_reserve_in_read_reservation*>(scsi_datain_unmarshall(held.get()))
                      : nullptr;
  if (h == nullptr) return error(iscsi_status(context, "read the reservation"));
  r.reserved = h->reserved != 0;
  r.holder = h->reservation_key;
  return r;
}

Result<void> reserve_out(iscsi_context* context, int lun, int action, uint64_t key, uint64_t other, const char* doing) {
  scsi_persistent_reserve_out_basic params{};
  params.reservation_key = key;
  params.service_action_reservation_key = other;
  const ScsiTask task = call_scsi(context, [&](iscsi_context* c, iscsi_command_cb callback, void* data) {
    return iscsi_persistent_reserve_out_task(c, lun, action, SCSI_PERSISTENT_RESERVE_SCOPE_LU,
                                             SCSI_PERSISTENT_RESERVE_TYPE_WRITE_EXCLUSIVE_REGISTRANTS_ONLY, &params, callback, data);
  }, kCallDeadlineS);
  if (!task) return error(iscsi_status(context, doing));
  if (task->status == SCSI_STATUS_RESERVATION_CONFLICT) {
    return error(Code::kPermissionDenied, Subject::kDevice, std::string(doing) + ": another host holds the LUN");
  }
  if (task->status != SCSI_STATUS_GOOD) return error(iscsi_status(context, doing));
  return {};
}

Status held_by(uint64_t key) {
  return Status(Code::kPermissionDenied, Subject::kDevice,
                "the LUN is held by another host (reservation key " + hex64(key) + "); if that host is down, use takeover");
}

}  // namespace

void FreeIscsi::operator()(iscsi_context* context) const { iscsi_destroy_context(context); }

Result<IscsiAddress> parse_iscsi_url(const std::string& url) {
  const auto invalid = [&] {
    return error(Code::kInvalidArgument, Subject::kDevice, url + " is not iscsi://PORTAL[:PORT]/TARGET/LUN");
  };
  if (!url.starts_with("iscsi://") || url.find('@') != std::string::npos) return invalid();
  const std::string rest = url.substr(8);
  const size_t first = rest.find('/'), last = rest.rfind('/');
  if (first == std::string::npos || last == first || first == 0) return invalid();
  IscsiAddress a;
  a.portal = rest.substr(0, first);
  if (a.portal.find(':') == std::string::npos) a.portal += ":3260";
  a.target = rest.substr(first + 1, last - first - 1);
  const std::string lun = rest.substr(last + 1);
  const auto parsed = std::from_chars(lun.data(), lun.data() + lun.size(), a.lun);
  if (lun.empty() || parsed.ec != std::errc() || parsed.ptr != lun.data() + lun.size()) return invalid();
  return a;
}

Result<IscsiContext> iscsi_log_in(const IscsiAddress& address, const DeviceOptions& options, IscsiLun& lun) {
  std::string initiator = options.initiator_name;
  if (initiator.empty()) initiator = "iqn.2026-01.io.holdfast:" + hex64(options.host_key);
  IscsiContext context(iscsi_create_context(initiator.c_str()));
  if (!context) return error(Code::kInternal, Subject::kDevice, "libiscsi gives no context");
  iscsi_context* c = context.get();
  iscsi_set_noautoreconnect(c, 1);  // its own reconnect would hide what was lost
  iscsi_set_timeout(c, kCommandTimeoutS);
  iscsi_set_tcp_user_timeout(c, kCommandTimeoutS * 1000);
  iscsi_set_targetname(c, address.target.c_str());
  iscsi_set_session_type(c, ISCSI_SESSION_NORMAL);
  iscsi_set_header_digest(c, options.header_digest ? ISCSI_HEADER_DIGEST_CRC32C : ISCSI_HEADER_DIGEST_NONE_CRC32C);
  // The same ISID at every login: the target ends what an earlier session of ours left running. A probe has another,
  // or it would end the session of this host's daemon.
  const uint32_t qualifier = static_cast<uint32_t>(address.lun & 0x7fff) | (options.read_only_probe ? 0x8000 : 0);
  iscsi_set_isid_en(c, static_cast<uint32_t>(options.host_key & 0xffffff), qualifier);
  if (!options.chap_user.empty()) {
    iscsi_set_initiator_username_pwd(c, options.chap_user.c_str(), options.chap_secret.c_str());
  }
  if (!options.mutual_chap_user.empty()) {
    iscsi_set_target_username_pwd(c, options.mutual_chap_user.c_str(), options.mutual_chap_secret.c_str());
  }
  if (!connect_and_log_in(c, address.portal, address.lun, kCallDeadlineS)) {
    return error(iscsi_status(c, "log in to " + address.portal + " " + address.target));
  }
  clear_attentions(c, address.lun);
  HF_TRY(lun.identity, identity_of(c, address.lun));
  HF_CHECK(read_shape(c, address.lun, lun));
  const auto reservation = read_reservation(c, address.lun);
  if (!reservation && reservation.error().code() != Code::kUnimplemented) return std::unexpected(reservation.error());
  lun.reservations = reservation.has_value();
  return context;
}

Result<void> iscsi_reserve(iscsi_context* c, int lun, const DeviceOptions& o) {
  HF_TRY(const Reservation before, read_reservation(c, lun));
  const bool foreign = before.reserved && before.holder != o.host_key;
  if (foreign && !o.take_over) return error(held_by(before.holder));
  HF_CHECK(reserve_out(c, lun, SCSI_PERSISTENT_RESERVE_REGISTER_AND_IGNORE_EXISTING_KEY, 0, o.host_key, "register this host's key"));
  if (foreign) {
    HF_CHECK(reserve_out(c, lun, SCSI_PERSISTENT_RESERVE_PREEMPT, o.host_key, before.holder, "preempt the other host"));
    (void)reset_lun(c, lun, kCallDeadlineS);
    ::sleep(10);  // what the other host had under way has landed or is gone by then
    clear_attentions(c, lun);
  }
  HF_TRY(const Reservation now, read_reservation(c, lun));
  if (!now.reserved) HF_CHECK(reserve_out(c, lun, SCSI_PERSISTENT_RESERVE_RESERVE, o.host_key, 0, "reserve the LUN"));
  return iscsi_check_reservation(c, lun, o.host_key);
}

Result<void> iscsi_check_reservation(iscsi_context* c, int lun, uint64_t host_key) {
  HF_TRY(const Reservation r, read_reservation(c, lun));
  if (r.reserved && r.holder != host_key) return error(held_by(r.holder));
  const bool registered = std::find(r.keys.begin(), r.keys.end(), host_key) != r.keys.end();
  if (!r.reserved || !registered) {
    return error(Code::kUnavailable, Subject::kDevice, "the target has forgotten this host's reservation");
  }
  return {};
}

std::chrono::microseconds iscsi_round_trip(iscsi_context* context, int lun) {
  using SteadyClock = std::chrono::steady_clock;
  auto best = std::chrono::microseconds::max();
  for (int i = 0; i < 4; ++i) {
    const auto began = SteadyClock::now();
    if (!test_unit_ready(context, lun)) return std::chrono::microseconds(0);
    best = std::min(best, std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - began));
  }
  return best;
}

std::string iscsi_reservation_holder(iscsi_context* c, int lun) {
  const auto r = read_reservation(c, lun);
  return r && r->reserved ? "key " + hex64(r->holder) : std::string();
}

}  // namespace holdfast
