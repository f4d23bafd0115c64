// cardvaultd: the daemon that holds the cards. No network: Unix sockets to the gates, and the admin
// socket.
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <list>

#include "vault/base/log.h"
#include "vault/base/wiping_heap.h"
#include "vault/daemon/admin.h"
#include "vault/daemon/admin_server.h"
#include "vault/daemon/backup_verbs.h"
#include "vault/daemon/confinement.h"
#include "vault/daemon/gate_link.h"
#include "vault/daemon/housekeeping.h"
#include "vault/daemon/publisher.h"
#include "vault/daemon/vault.h"
#include "vault/sandbox/process.h"

namespace cardvault::daemon {
namespace {

// Signals are taken by sigwait on the main thread alone: no thread is interrupted.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

class Daemon {
 public:
  Daemon(Config config, std::vector<std::string> overrides)
      : overrides_(std::move(overrides)),
        vault_(std::move(config)),
        admin_(vault_, [this] { return reload(); }) {
    vault_.announce({vault_.system_event("start")});
    vault_.start();
    publisher_.emplace(vault_);
    housekeeping_.emplace(vault_);
    server_.emplace(vault_.config().admin_socket, admin_, vault_.config().operators);
    for (const GateConfig& gate : vault_.config().gates) {
      links_.emplace_back(gate, vault_.engine(), vault_.floods(), vault_.outboxes(),
                          [this] { return vault_.ready(); });
    }
    forget_snapshot(vault_);
    admin_.resume_background();
    base::log(base::Level::kNotice, "cardvaultd is ready");
  }

  // In-flight requests finish and are answered; nothing new is taken.
  ~Daemon() {
    for (GateLink& link : links_) link.stop_reading();
    server_.reset();
    admin_.stop_background();
    housekeeping_.reset();
    vault_.announce({vault_.system_event("stop")});
    vault_.stop();
    publisher_.reset();
    links_.clear();
  }
  Daemon(const Daemon&) = delete;             // threads hold its address
  Daemon& operator=(const Daemon&) = delete;  // threads hold its address

  std::string reload() {
    try {
      const Config config = read_config(vault_.config().path, overrides_);
      std::string said = "the configuration holds now";
      for (const std::string& note : vault_.apply(config)) said += "; " + note;
      for (const GateConfig& gate : config.gates) {
        for (GateLink& link : links_) link.set_ceiling_of(gate.ceiling);
      }
      base::log(base::Level::kNotice, "configuration reloaded");
      return said;
    } catch (const base::StartupError& error) {
      base::log(base::Level::kError, "the new configuration is refused, the old one holds",
                {{"why", error.what()}});
      return std::string("refused, the old configuration holds: ") + error.what();
    }
  }

 private:
  const std::vector<std::string> overrides_;
  Vault vault_;
  AdminService admin_;
  std::optional<Publisher> publisher_;
  std::optional<Housekeeping> housekeeping_;
  std::optional<AdminServer> server_;
  std::list<GateLink> links_;
};

// A vault made before the log was published has no folder for it: auditors may read what is there.
void make_log_folder(const std::string& dir) {
  if (::mkdir(dir.c_str(), 0755) == 0) {
    ::chmod(dir.c_str(), 0755);
  } else if (errno != EEXIST) {
    throw base::StartupError(dir + ": " + std::strerror(errno) +
                             ": make this folder, owned by the daemon's user, or name another one "
                             "in [audit] dir");
  }
}

int run(const std::string& path, const std::vector<std::string>& overrides, bool check) {
  Config config = read_config(path, overrides);
  if (check) {
    std::cout << path << ": good\n";
    return 0;
  }
  const sigset_t signals = block_signals();
  sandbox::harden_process();
  make_log_folder(config.audit.dir);
  confine(config);
  Daemon daemon(std::move(config), overrides);
  for (;;) {
    int signal = 0;
    ::sigwait(&signals, &signal);
    if (signal != SIGHUP) break;
    static_cast<void>(daemon.reload());
  }
  base::log(base::Level::kNotice, "stopping");
  return 0;
}

}  // namespace
}  // namespace cardvault::daemon

int main(int argc, char** argv) {
  CLI::App app("cardvaultd keeps card numbers under keys in an HSM and answers the gates.");
  std::string path = "/etc/cardvault/vault.toml";
  std::vector<std::string> overrides;
  bool check = false;
  app.add_option("--config", path, "configuration file (vault.toml(5))")->capture_default_str();
  app.add_option("--set", overrides, "override one key, e.g. --set limits.rate_per_s=100");
  app.add_flag("--check", check, "read the configuration, say what is wrong, and leave");
  app.set_version_flag("--version", CARDVAULT_VERSION);
  app.footer(
      "Signals: SIGHUP reads the configuration again, SIGTERM stops.\n"
      "Exit codes: 0 stopped, 1 could not start, 2 usage, 70 an HSM call never returned.\n"
      "Example: cardvaultd --config /etc/cardvault/vault.toml --check");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (!cardvault::base::wipe_openssl_memory()) {
    std::fprintf(stderr, "<3>cardvaultd: OpenSSL was in use before its memory could be wiped\n");
    return 1;
  }
  try {
    return cardvault::daemon::run(path, overrides, check);
  } catch (const cardvault::base::StartupError& error) {
    std::fprintf(stderr, "<3>cardvaultd: %s\n", error.what());
    return 1;
  }
}
