// What libiscsi alone writes to a LUN: one session, commands of one size, so many under way; prints MiB/s. It overwrites the LUN.
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <poll.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <random>
#include <stdexcept>
#include <vector>

namespace {

using SteadyClock = std::chrono::steady_clock;

struct Options {
  std::string portal, target, user, secret_file;
  int lun = 1;
  uint32_t command_kib = 512;
  int depth = 16;
  uint64_t from_mib = 0;
  double seconds = 3;
  bool header_digest = false;
};

struct FreeContext {
  void operator()(iscsi_context* c) const { iscsi_destroy_context(c); }
};

class Writer {
 public:
  explicit Writer(const Options& o) : o_(o), context_(iscsi_create_context("iqn.2026-01.io.holdfast.test:raw")), bytes_(o.command_kib << 10) {
    std::mt19937_64 random(1);
    for (auto& b : bytes_) b = static_cast<unsigned char>(random());
    std::string secret;
    std::getline(std::ifstream(o.secret_file), secret);
    iscsi_set_session_type(context(), ISCSI_SESSION_NORMAL);
    iscsi_set_targetname(context(), o.target.c_str());
    iscsi_set_noautoreconnect(context(), 1);
    iscsi_set_header_digest(context(), o.header_digest ? ISCSI_HEADER_DIGEST_CRC32C : ISCSI_HEADER_DIGEST_NONE);
    if (!o.user.empty()) iscsi_set_initiator_username_pwd(context(), o.user.c_str(), secret.c_str());
    if (iscsi_full_connect_sync(context(), o.portal.c_str(), o.lun) != 0) throw std::runtime_error(iscsi_get_error(context()));
    scsi_task* task = iscsi_readcapacity16_sync(context(), o.lun);
    const auto* capacity = task != nullptr ? static_cast<scsi_readcapacity16*>(scsi_datain_unmarshall(task)) : nullptr;
    if (capacity == nullptr) throw std::runtime_error("the LUN does not say its size");
    block_bytes_ = capacity->block_length;
    blocks_ = capacity->returned_lba + 1;
    at_ = (o.from_mib << 20) / block_bytes_;
    scsi_free_scsi_task(task);
  }

  double mib_per_second() {
    const auto began = SteadyClock::now();
    const auto end = began + std::chrono::milliseconds(static_cast<int64_t>(o_.seconds * 1000));
    while (under_way_ > 0 || SteadyClock::now() < end) {
      while (under_way_ < o_.depth && SteadyClock::now() < end) send();
      pollfd p{iscsi_get_fd(context()), static_cast<short>(iscsi_which_events(context())), 0};
      if (::poll(&p, 1, 1000) < 0 || iscsi_service(context(), p.revents) != 0) throw std::runtime_error(iscsi_get_error(context()));
      if (failed_) throw std::runtime_error("a write failed");
    }
    scsi_task* flushed = iscsi_synchronizecache16_sync(context(), o_.lun, 0, 0, 0, 0);
    if (flushed == nullptr || flushed->status != SCSI_STATUS_GOOD) throw std::runtime_error("the LUN does not flush");
    scsi_free_scsi_task(flushed);
    const double took = std::chrono::duration<double>(SteadyClock::now() - began).count();
    return static_cast<double>(written_) * static_cast<double>(bytes_.size()) / took / 1048576;
  }

 private:
  iscsi_context* context() { return context_.get(); }

  void send() {
    const uint64_t step = bytes_.size() / block_bytes_;
    if (at_ + step > blocks_) at_ = 0;
    const auto done = [](iscsi_context*, int status, void* command, void* self) {
      auto* writer = static_cast<Writer*>(self);
      scsi_free_scsi_task(static_cast<scsi_task*>(command));
      --writer->under_way_;
      if (status == SCSI_STATUS_GOOD) ++writer->written_; else writer->failed_ = true;
    };
    if (iscsi_write16_task(context(), o_.lun, at_, bytes_.data(), static_cast<uint32_t>(bytes_.size()), static_cast<int>(block_bytes_), 0, 0, 0, 0, 0, done, this) == nullptr) {
      throw std::runtime_error(iscsi_get_error(context()));
    }
    at_ += step;
    ++under_way_;
  }

  const Options o_;
  std::unique_ptr<iscsi_context, FreeContext> context_;
  std::vector<unsigned char> bytes_;
  uint32_t block_bytes_ = 512;
  uint64_t blocks_ = 0, at_ = 0, written_ = 0;
  int under_way_ = 0;
  bool failed_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app("Writes to a LUN with libiscsi alone");
  app.add_option("--portal", o.portal, "ADDRESS:PORT")->required();
  app.add_option("--target", o.target)->required();
  app.add_option("--lun", o.lun);
  app.add_option("--user", o.user);
  app.add_option("--secret-file", o.secret_file);
  app.add_option("--command-kib", o.command_kib);
  app.add_option("--depth", o.depth);
  app.add_option("--from-mib", o.from_mib, "where in the LUN the first write goes");
  app.add_option("--seconds", o.seconds);
  app.add_flag("--header-digest", o.header_digest);
  CLI11_PARSE(app, argc, argv);
  try {
    std::printf("%.1f\n", Writer(o).mib_per_second());
  } catch (const std::exception& e) {
    std::fprintf(stderr, "raw_iscsi: %s\n", e.what());
    return 1;
  }
}
