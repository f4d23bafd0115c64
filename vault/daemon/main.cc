// cardvaultd: the daemon that holds the cards. No network: Unix sockets to the gates, and the admin
// socket.
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <functional>
#include <iostream>
#include <optional>

#include "vault/base/log.h"
#include "vault/base/wiping_heap.h"
#include "vault/daemon/confinement.h"
#include "vault/daemon/open_vault.h"
#include "vault/daemon/pin_file.h"
#include "vault/daemon/sealed_vault.h"
#include "vault/sandbox/locked_memory.h"
#include "vault/sandbox/notify_socket.h"
#include "vault/sandbox/process.h"

namespace cardvault::daemon {
namespace {

// Signals are taken by sigwait on the main thread alone: no thread is interrupted.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&signals, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

// The main thread takes up what another thread has made ready: a seal, a whole PIN.
std::function<void()> waker_of_this_thread() {
  return [main = ::pthread_self()] { ::pthread_kill(main, SIGUSR1); };
}

enum class Ended : std::uint8_t { kStopped, kSealed, kPinRefused };

Ended serve(OpenVault& vault, const sigset_t& signals) {
  sandbox::notify("READY=1\nSTATUS=Open.");
  for (;;) {
    int signal = 0;
    ::sigwait(&signals, &signal);
    if (signal == SIGHUP) {
      static_cast<void>(vault.reload());
    } else if (signal != SIGUSR1) {
      return Ended::kStopped;
    } else if (vault.sealing()) {
      return Ended::kSealed;
    }
  }
}

// nullopt: this process is to stop.
std::optional<PinFile> wait_for_custodians(const Config& config, const sigset_t& signals,
                                           bool pin_refused) {
  SealedVault vault(config, waker_of_this_thread());
  if (pin_refused) vault.token_refused();
  sandbox::notify("READY=1\nSTATUS=Sealed: `cardvault unseal` opens it.");
  for (;;) {
    constexpr timespec kTick{1, 0};
    const int signal = ::sigtimedwait(&signals, nullptr, &kTick);
    if (signal == SIGTERM || signal == SIGINT) return std::nullopt;
    vault.tick();
    sandbox::still_alive();
    if (const auto pin = vault.take_pin()) return PinFile::hold(*pin);
  }
}

// With a PIN that custodians gave, or that was kept over a crash.
Ended serve_unsealed(Config& config, const std::vector<std::string>& overrides, PinFile pin,
                     const sigset_t& signals) {
  const bool keep = config.unseal.survive_crash;
  OpenVault vault(config, overrides, waker_of_this_thread(), pin.source());
  if (vault.pin_refused()) {
    PinFile::forget();
    return Ended::kPinRefused;
  }
  vault.note_unsealed(keep && pin.keep());
  {
    const PinFile used = std::move(pin);
  }  // the HSM room has it now
  const Ended ended = serve(vault, signals);
  config = vault.in_force();
  return ended;
}

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
  sandbox::lock_memory();
  sandbox::open_notify_socket();
  make_log_folder(config.audit.dir);
  confine(config);
  Ended ended = Ended::kStopped;
  if (!config.unseal.custodians) {
    OpenVault vault(std::move(config), overrides, waker_of_this_thread());
    ended = serve(vault, signals);
  } else {
    // A PIN that was kept is good for one start: a refused one needs custodians.
    std::optional<PinFile> pin;
    if (config.unseal.survive_crash) pin = PinFile::inherited();
    for (ended = Ended::kSealed; ended != Ended::kStopped;) {
      const bool refused = ended == Ended::kPinRefused;
      if (!pin) pin = wait_for_custodians(config, signals, refused);
      if (!pin) break;  // stopped
      ended = serve_unsealed(config, overrides, std::move(*pin), signals);
      pin.reset();
    }
  }
  sandbox::notify("STOPPING=1");
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
