#include "daemon/app/app.h"

#include <malloc.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "daemon/admin/admin_api.h"
#include "daemon/app/pool_service.h"
#include "daemon/app/secrets.h"
#include "daemon/clusters/cluster_service.h"
#include "daemon/clusters/cluster_trials.h"
#include "daemon/identity.h"
#include "daemon/notifier/notifier.h"
#include "daemon/recovery/local_recovery.h"
#include "daemon/replicator/replicator.h"
#include "daemon/replicator/site_probe.h"
#include "daemon/scheduler/cluster_backup_maker.h"
#include "daemon/scheduler/scheduler.h"
#include "daemon/verifier/verifier.h"
#include "s3gw/gateway.h"
#include "storage/base/host.h"
#include "storage/base/log.h"

namespace holdfast {

namespace {

constexpr std::chrono::seconds kSitePatience{5};  // for what looks at sites again soon
constexpr unsigned kWorkerThreads = 64;  // each may wait for a commit: they bound the group

HttpServerOptions::Listener listener_of(const ListenConfig& l) {
  HttpServerOptions::Listener out;
  out.host = l.address;
  out.port = l.port;
  out.tls = l.tls;
  return out;
}

// Sockets that systemd hands over take the place of the configured S3 addresses, in order.
void take_inherited_sockets(HttpServerOptions& options) {
  const int n = ::sd_listen_fds(1);
  for (int i = 0; i < n && static_cast<size_t>(i) < options.listeners.size(); ++i) {
    options.listeners[static_cast<size_t>(i)].fd = SD_LISTEN_FDS_START + i;
  }
}

std::string log_safe(const std::string& text) {
  std::string out;
  for (char c : text) {
    const bool plain = static_cast<unsigned char>(c) >= 0x20 && c != 0x7f && c != '"' && c != '\\';
    out += plain ? c : '?';
  }
  return out;
}

void log_access(const s3::AccessRecord& r) {
  spdlog::info("access id={} peer={} user={} op={} bucket=\"{}\" key=\"{}\" status={} error={} in={} out={} ms={:.2f}", r.request_id,
               r.peer, log_safe(r.user), r.operation, log_safe(r.bucket), log_safe(r.key), r.status,
               r.error_code.empty() ? "-" : r.error_code, r.received_bytes, r.sent_bytes, r.duration_ms);
}

class Daemon {
 public:
  Daemon(Config config, std::string config_path) : c_(std::move(config)), config_path_(std::move(config_path)), workers_(kWorkerThreads) {}

  // A start that failed in the middle leaves threads that use each other.
  ~Daemon() {
    if (recovery_) recovery_->stop();
    if (verifier_) verifier_->stop();
    if (scheduler_) scheduler_->stop();
    if (replicator_) replicator_->stop();
  }

  Result<void> start(const OpenFlags& flags) {
    for (const PoolConfig& pool : c_.pools) {
      HF_TRY(auto opened, open_pool(c_, pool, flags, clock_, random_));
      spdlog::info("pool {} on {}: epoch {}, {}", pool.name, pool.device, opened->superblock().epoch,
                   opened->read_only_reason().empty() ? "online" : "read-only");
      pools_.push_back(std::move(opened));
    }
    std::vector<Pool*> pools;
    for (auto& pool : pools_) pools.push_back(pool.get());
    store_ = std::make_unique<Store>(pools);
    local_pools_ = std::make_unique<LocalPools>(*store_);
    HF_CHECK(make_services());
    clusters_->start();
    scheduler_->load();
    replicator_->start();
    scheduler_->start();
    verifier_->start();
    recovery_->start();
    HF_CHECK(start_s3());
    return start_admin();
  }

  void reload() {
    auto fresh = load_config(config_path_);
    if (!fresh) {
      spdlog::error("reload: {}", fresh.error().message());
      return;
    }
    spdlog::set_level(spdlog::level::from_str(fresh->log_level));
    for (HttpServer* server : {s3_.get(), admin_.get()}) {
      if (server == nullptr) continue;
      if (auto done = server->reload_certificate(); !done) spdlog::error("reload: {}", done.error().message());
    }
    spdlog::info("configuration read again: log level and certificates; other changes need a restart");
  }

  void stop() {
    s3_->stop(c_.stop_deadline_s);
    if (admin_) admin_->stop(2);
    workers_.join();
    recovery_->stop();
    verifier_->stop();
    scheduler_->stop();
    replicator_->stop();
    recovery_.reset();
    verifier_.reset();
    clusters_.reset();  // ends running backups, of which the next two are told
    replicator_.reset();
    scheduler_.reset();
    notifier_.reset();
    local_pools_.reset();
    for (auto& pool : pools_) pool->close();
  }

  uint16_t s3_port() const { return s3_->ports().front(); }

 private:
  bool clock_is_sure() const {
    const auto pools = local_pools_->pools();
    return std::none_of(pools.begin(), pools.end(), [](const PoolStatus& p) { return p.time_unconfirmed; });
  }

  // What removes something asks first.
  bool may_remove() const { return recovery_->is_active() && clock_is_sure(); }

  Result<void> make_services() {
    recovery_ = std::make_unique<LocalRecovery>(recovery_parts());
    HF_CHECK(recovery_->load());
    const std::string id = recovery_->status().appliance;
    notifier_ = std::make_unique<Notifier>(NotifierParts{store_.get(), &clock_, id});
    clusters_ = std::make_unique<LocalClusters>(ClusterServiceParts{store_.get(), store_.get(), store_.get(), store_.get(), &clock_, &random_, id,
                                                                     [this] { return may_remove(); }, [this] { backup_ended(); }, c_.state_dir, face(),
                                                                     [this](const std::string& site, const std::string& cluster, const std::string& backup) { return replicator_->open_copy(site, cluster, backup); },
                                                                     [this](const std::string& url, const std::string& bucket) { return SiteRegistry(*store_).at(url, bucket); }});
    backup_maker_ = std::make_unique<ClusterBackupMaker>(*clusters_);
    scheduler_ = std::make_unique<Scheduler>(scheduler_parts());
    replicator_ = std::make_unique<Replicator>(replicator_parts(id));
    trials_ = std::make_unique<ClusterTrials>(ClusterTrialsParts{store_.get(), store_.get(), &clock_, &random_, c_.state_dir});
    verifier_ = std::make_unique<Verifier>(verifier_parts());
    return {};
  }

  RecoveryParts recovery_parts() {
    RecoveryParts parts;
    parts.settings = store_.get();
    parts.users = store_.get();
    parts.buckets = store_.get();
    parts.clock = &clock_;
    parts.random = &random_;
    parts.keys = bundle_keys();
    parts.host = host_name();
    parts.sites = [this] {
      std::vector<RecoverySite> sites;
      for (const RegisteredSite& site : SiteRegistry(*store_).all()) {
        sites.push_back({site.status.name, [this, place = site.place]() -> Result<std::shared_ptr<RemoteStore>> { return open_remote_store(place, clock_, kSitePatience); }});
      }
      return sites;
    };
    parts.takes_conditional_writes = [this](RemoteStore& site) { return probe_site(site, random_).conditional_writes; };
    parts.on_change = [this](bool active) {
      clusters_->set_active(active);
      scheduler_->wake();
      replicator_->wake();
      verifier_->wake();
    };
    return parts;
  }

  // Settings live in the first pool.
  std::optional<BundleKeys> bundle_keys() const {
    Pool& pool = *pools_.front();
    if (!pool.volume().pool_key) return std::nullopt;
    const Superblock& s = pool.superblock();
    return BundleKeys{*pool.volume().pool_key, s.key_by_recovery, std::string(as_text(s.layout.pool_id))};
  }

  SchedulerParts scheduler_parts() {
    SchedulerParts parts;
    parts.settings = store_.get();
    parts.maker = backup_maker_.get();
    parts.clock = &clock_;
    parts.random = &random_;
    parts.may_remove = [this] { return may_remove(); };
    parts.why_it_stays = [this](const Policy& policy, const OwnedPoint& p) {
      if (std::string held = why_held(*store_, policy.cluster, p.point.name); !held.empty()) return held;
      return std::string(replicator_->copy_is_due(p.policy, p.tier, p.point.name) ? "its copy is still due" : "");
    };
    parts.on_new_point = [this] { replicator_->wake(); };
    parts.on_policies = [this] {
      replicator_->wake();
      verifier_->wake();
    };
    parts.check_standing = [this] { return recovery_->check_standing(); };
    parts.is_active = [this] { return recovery_->is_active(); };
    parts.tell = [this](Event event) { notifier_->tell(std::move(event)); };
    return parts;
  }

  void backup_ended() {
    scheduler_->wake();
    const auto orders = scheduler_->copy_orders();
    if (std::any_of(orders.begin(), orders.end(), [](const CopyOrder& o) { return !o.copy.labels.empty(); })) replicator_->wake();
  }

  ReplicatorParts replicator_parts(const std::string& id) {
    ReplicatorParts parts;
    parts.settings = store_.get();
    parts.objects = store_.get();
    parts.clusters = clusters_.get();
    parts.clock = &clock_;
    parts.random = &random_;
    parts.appliance_id = id;
    parts.orders = [this] { return scheduler_->copy_orders(); };
    parts.may_remove = [this] { return may_remove(); };
    parts.on_news = [this](const std::string& policy) { scheduler_->look_at_points(policy); };
    parts.is_active = [this] { return recovery_->is_active(); };
    parts.confirm = [this](const std::string& name, RemoteStore& site) { return recovery_->confirm(name, site); };
    return parts;
  }

  VerifierParts verifier_parts() {
    VerifierParts parts;
    parts.settings = store_.get();
    parts.trials = trials_.get();
    parts.clusters = clusters_.get();
    parts.sites = replicator_.get();
    parts.clock = &clock_;
    parts.orders = [this] { return scheduler_->verification_orders(); };
    parts.is_active = [this] { return recovery_->is_active(); };
    parts.on_news = [this](const std::string& policy) { scheduler_->look_at_points(policy); };
    parts.tell = [this](Event event) { notifier_->tell(std::move(event)); };
    return parts;
  }

  // How clients outside reach the S3 endpoint, unless the configuration says so.
  std::string first_url() const {
    const ListenConfig& l = c_.listen.front();
    std::string host = l.address;
    if (host == "0.0.0.0" || host == "::") host = host_name();
    if (host.find(':') != std::string::npos) host = "[" + host + "]";
    return std::string(l.tls ? "https://" : "http://") + host + ":" + std::to_string(l.port);
  }

  S3Face face() const {
    S3Face f{c_.public_url.empty() ? first_url() : c_.public_url, c_.region, ""};
    const std::string& file = c_.public_ca_file.empty() ? c_.certificate_file : c_.public_ca_file;
    if (!f.url.starts_with("https://") || file.empty()) return f;
    std::ifstream in(file);
    f.ca_pem.assign(std::istreambuf_iterator<char>(in), {});
    if (f.ca_pem.empty()) spdlog::error("{}: no certificate in it; clusters are told none", file);
    return f;
  }

  Result<void> start_s3() {
    s3::GatewayOptions options;
    options.region = c_.region;
    options.domains = c_.domains;
    options.encrypted = pools_.front()->superblock().encrypted;
    s3::GatewayServices services;
    services.objects = store_.get();
    services.prompt = store_.get();
    services.buckets = store_.get();
    services.users = store_.get();
    services.clock = &clock_;
    services.random = &random_;
    services.workers = &workers_;
    services.md5 = &md5_;
    services.on_access = [this](const s3::AccessRecord& r) {
      metrics_.count_request(r.operation, r.status, r.duration_ms / 1000, r.received_bytes);
      if (r.status == 500) {
        metrics_.count_corruption();
        spdlog::error("request {} failed: {}", r.request_id, r.detail);
      }
      if (c_.access_log) log_access(r);
    };
    HttpServerOptions http;
    for (const ListenConfig& l : c_.listen) http.listeners.push_back(listener_of(l));
    take_inherited_sockets(http);
    http.certificate_file = c_.certificate_file;
    http.key_file = c_.key_file;
    http.threads = c_.threads;
    HF_TRY(s3_, HttpServer::create(std::move(http), s3::make_gateway(std::move(options), std::move(services))));
    s3_->start();
    return {};
  }

  Result<void> start_admin() {
    AdminApiOptions options;
    options.services = {store_.get(), store_.get(), local_pools_.get(), clusters_.get(), scheduler_.get(), replicator_.get(), recovery_.get(), notifier_.get(), verifier_.get()};
    options.metrics = &metrics_;
    options.random = &random_;
    options.workers = &workers_;
    options.ready = [this] { return local_pools_->ready(); };
    HF_TRY(options.token, read_secret_file(c_.admin_token_file));
    HttpServerOptions http;
    if (!c_.admin_socket.empty()) {
      HttpServerOptions::Listener l;
      l.unix_path = c_.admin_socket;
      http.listeners.push_back(l);
    }
    if (c_.admin_listen) http.listeners.push_back(listener_of(*c_.admin_listen));
    if (http.listeners.empty()) return {};
    http.certificate_file = c_.certificate_file;
    http.key_file = c_.key_file;
    http.threads = 1;
    HF_TRY(admin_, HttpServer::create(std::move(http), make_admin_api(std::move(options))));
    admin_->start();
    return {};
  }

  const Config c_;
  const std::string config_path_;
  SystemClock clock_;
  SystemRandom random_;
  Md5Lanes md5_{md5_lane_kernels(), std::max(1U, std::thread::hardware_concurrency() / 4)};
  boost::asio::thread_pool workers_;
  Metrics metrics_;
  std::vector<std::unique_ptr<Pool>> pools_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<LocalPools> local_pools_;
  std::unique_ptr<Notifier> notifier_;    // outlives all that tell it
  std::unique_ptr<Scheduler> scheduler_;  // outlives the clusters, which tell it of ended backups
  std::unique_ptr<LocalClusters> clusters_;
  std::unique_ptr<ClusterBackupMaker> backup_maker_;
  std::unique_ptr<Replicator> replicator_;
  std::unique_ptr<ClusterTrials> trials_;
  std::unique_ptr<Verifier> verifier_;
  std::unique_ptr<LocalRecovery> recovery_;
  std::unique_ptr<HttpServer> s3_, admin_;
};

}  // namespace

Result<void> run_daemon(const std::string& config_path, const OpenFlags& flags) {
  // Many threads with an arena each would keep what none of them uses.
  ::mallopt(M_ARENA_MAX, 4);
  // Body buffers go back to the system when a request ends, instead of widening the heap for good.
  ::mallopt(M_MMAP_THRESHOLD, 768 << 10);
  HF_TRY(const Config config, load_config(config_path));
  start_log(config.log_level);
  sigset_t signals;
  sigemptyset(&signals);
  for (int s : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, s);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // before any thread starts
  ::signal(SIGPIPE, SIG_IGN);
  const int fd = ::signalfd(-1, &signals, SFD_CLOEXEC);
  Daemon daemon(config, config_path);
  HF_CHECK(daemon.start(flags));
  spdlog::info("serving S3 on port {}", daemon.s3_port());
  ::sd_notify(0, "READY=1");
  for (;;) {
    signalfd_siginfo info{};
    if (::read(fd, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) continue;
    if (info.ssi_signo != SIGHUP) break;
    ::sd_notify(0, "RELOADING=1");
    daemon.reload();
    ::sd_notify(0, "READY=1");
  }
  ::sd_notify(0, "STOPPING=1");
  spdlog::info("stopping");
  daemon.stop();
  ::close(fd);
  spdlog::info("stopped");
  return {};
}

}  // namespace holdfast
