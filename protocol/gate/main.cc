// cardvault-gate: mutual TLS, HTTP and JSON in front of cardvaultd.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>

#include "protocol/gate/config.h"
#include "protocol/gate/confinement.h"
#include "protocol/gate/server.h"
#include "protocol/gate/sockets.h"
#include "protocol/gate/tls.h"
#include "vault/base/log.h"
#include "vault/base/result.h"
#include "vault/base/wiping_heap.h"
#include "vault/sandbox/locked_memory.h"
#include "vault/sandbox/notify_socket.h"
#include "vault/sandbox/process.h"

namespace {

constexpr int kExitStartup = 1;
constexpr int kExitUsage = 2;

// Reads what a start would read; for a deployment to ask before a reload or restart.
void check(const std::string& file) {
  const auto config = cardvault::gate::load_config(file);
  static_cast<void>(cardvault::gate::Tls::load(config));
  if (std::puts("configuration and certificates are good") < 0 || std::fflush(stdout) != 0) {
    throw cardvault::base::StartupError("all is good, but stdout can't be written");
  }
}

void serve(const std::string& file) {
  cardvault::sandbox::harden_process();
  cardvault::sandbox::lock_memory();
  cardvault::sandbox::open_notify_socket();
  auto config = cardvault::gate::load_config(file);
  // By folders: certificates and lists are replaced by renaming.
  std::vector<std::string> folders;
  for (const auto& path :
       {file, config.certificate, config.key, config.client_ca, config.crl, config.vault_ca}) {
    if (path.empty()) continue;
    folders.push_back(std::filesystem::absolute(path).lexically_normal().parent_path().string());
  }
  const auto sockets = cardvault::gate::inherit_sockets();
  cardvault::gate::Server server(std::move(config), file, sockets);
  cardvault::gate::confine(folders);
  server.run();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Terminates mutual TLS in front of cardvaultd. Inherits its sockets `tls` and `vault` "
      "(and `health`) from systemd or a supervisor; makes none itself.",
      "cardvault-gate"};
  std::string file;
  bool check_only = false;
  app.add_option("--config", file, "configuration file (TOML), read again on SIGHUP")->required();
  app.add_flag("--check", check_only, "read configuration and certificates, say what is wrong");
  app.set_version_flag("--version", CARDVAULT_VERSION);
  app.footer(
      "Signals: SIGHUP reads the configuration again, SIGTERM stops.\n"
      "Exit codes: 0 stopped, 1 could not start, 2 usage.\n"
      "Example: cardvault-gate --config /etc/cardvault/gate-web.toml --check");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    if (code != 0) std::fputs(app.help().c_str(), stderr);
    return code == 0 ? 0 : kExitUsage;
  }
  try {
    if (!cardvault::base::wipe_openssl_memory()) {
      throw cardvault::base::StartupError("OpenSSL allocated memory before main; report this");
    }
    if (check_only) {
      check(file);
    } else {
      serve(file);
    }
  } catch (const cardvault::base::StartupError& error) {
    std::fprintf(stderr, "<3>cardvault-gate: %s\n", error.what());
    return kExitStartup;
  }
  return 0;
}
