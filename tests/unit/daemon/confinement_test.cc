#include "vault/daemon/confinement.h"

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "vault/daemon/config.h"
#include "vault/sandbox/process.h"

namespace cardvault::daemon {
namespace {

using testing::Contains;
using testing::Not;

Config of_module(const std::string& module) {
  Config config;
  config.path = "/etc/cardvault/vault.toml";
  config.data_dir = "/var/lib/cardvault/data";
  config.audit.dir = "/var/lib/cardvault/audit";
  config.admin_socket = "/run/cardvault/cardvaultd/admin.sock";
  config.clients.ca_file = "/var/lib/cardvault/clients/ca.pem";
  config.hsm.module = module;
  config.hsm.token_uri = "pkcs11:token=x?pin-source=file:/run/credentials/pin";
  return config;
}

TEST(ReachableFiles, ATokenIsReadByTheFolderItStandsInAndNeverWritten) {
  const std::string conf = testing::TempDir() + "cardvault-softhsm2-" + std::to_string(::getpid());
  std::ofstream(conf) << "directories.tokendir = /srv/vault/token/\n";
  Config config = of_module("/usr/lib/softhsm/libsofthsm2.so");
  config.hsm.softhsm_conf = conf;
  const auto named = reachable_files(config);
  // Where the configuration names none, the module takes it from the environment.
  config.hsm.softhsm_conf.clear();
  ::setenv("SOFTHSM2_CONF", conf.c_str(), 1);
  const auto inherited = reachable_files(config);
  ::unsetenv("SOFTHSM2_CONF");
  std::filesystem::remove(conf);
  for (const auto& files : {named, inherited}) {
    EXPECT_THAT(files.read, Contains("/srv/vault"));
    EXPECT_THAT(files.read, Contains("/run/credentials"));
    EXPECT_THAT(files.write, Not(Contains("/srv/vault")));
    EXPECT_THAT(files.write, Contains("/var/lib/cardvault/data"));
    EXPECT_TRUE(files.connect_ports.empty());
  }
}

// Landlock goes by what a path leads to: a token that was moved to a larger disk, a shared PIN.
TEST(ReachableFiles, WhatALinkLeadsTo) {
  namespace fs = std::filesystem;
  const fs::path top = fs::path(testing::TempDir()) / ("links-" + std::to_string(::getpid()));
  for (const char* folder : {"vault", "disk/token", "pins", "etc"}) {
    fs::create_directories(top / folder);
  }
  fs::create_directory_symlink(top / "disk/token", top / "vault/token");
  std::ofstream(top / "pins/pin") << "1234";
  fs::create_symlink(top / "pins/pin", top / "vault/pin");
  std::ofstream(top / "etc/vault.toml") << "";
  fs::create_symlink(top / "etc/vault.toml", top / "vault/vault.toml");
  std::ofstream(top / "conf") << "directories.tokendir = " << (top / "vault/token").string()
                              << "\n";
  Config config = of_module("/usr/lib/softhsm/libsofthsm2.so");
  config.path = top / "vault/vault.toml";
  config.hsm.softhsm_conf = top / "conf";
  config.hsm.token_uri = "pkcs11:token=x?pin-source=file:" + (top / "vault/pin").string();
  const fs::path real = fs::canonical(top);
  EXPECT_THAT(reachable_files(config).read,
              testing::IsSupersetOf({(top / "vault").string(), (real / "disk").string(),
                                     (real / "pins").string(), (real / "etc").string()}));
  fs::remove_all(top);
}

TEST(ReachableFiles, EachHsmHasItsOwn) {
  Config config = of_module("/opt/vendor/lib/module.so");
  hsm::TokenConfig& standby = config.standbys.emplace_back();
  standby.module = "/opt/other/module.so";
  standby.init_args = "configdir='sql:/srv/nss'";
  standby.token_uri = "pkcs11:token=y?pin-source=file:/run/other/pin";
  const auto files = reachable_files(config);
  EXPECT_THAT(files.load, testing::IsSupersetOf({"/opt/vendor/lib", "/opt/other"}));
  EXPECT_THAT(files.read, testing::IsSupersetOf({"/run/credentials", "/run/other", "/srv/nss"}));
}

TEST(ReachableFiles, FoldersInAModulesArgumentsAndTheHsmsPort) {
  Config config = of_module("/opt/vendor/lib/module.so");
  config.hsm.init_args = "configdir='sql:/srv/nss' certPrefix=''";
  config.sandbox.hsm_port = 1792;
  const auto files = reachable_files(config);
  EXPECT_THAT(files.read, Contains("/srv/nss"));
  EXPECT_THAT(files.load, Contains("/opt/vendor/lib"));
  EXPECT_THAT(files.connect_ports, testing::ElementsAre(1792));
}

// Whether a daemon that is confined so gets a descriptor; killed where it may not even ask.
[[noreturn]] void confined(const Config& config, const std::function<int()>& open) {
  sandbox::harden_process();
  confine(config);
  std::_Exit(open() >= 0 ? 0 : 2);
}

TEST(ConfineDeathTest, TheNetworkIsTcpToTheHsmAlone) {
  if (!sandbox::kConfined) GTEST_SKIP() << "no filter in sanitizer builds";
  Config config = of_module("/usr/lib/softhsm/libsofthsm2.so");
  config.sandbox.hsm_port = 1792;
  const auto allowed = testing::ExitedWithCode(0);
  const auto killed = testing::KilledBySignal(SIGSYS);
  for (const int family : {AF_INET, AF_INET6}) {
    const auto tcp = [&] { return ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP); };
    EXPECT_EXIT(confined(config, tcp), allowed, "");
    EXPECT_EXIT(confined(config, [&] { return ::socket(family, SOCK_STREAM, 0); }), allowed, "");
    EXPECT_EXIT(confined(config, [&] { return ::socket(family, SOCK_DGRAM, 0); }), killed, "");
    EXPECT_EXIT(confined(config, [&] { return ::socket(family, SOCK_RAW, 0); }), killed, "");
    EXPECT_EXIT(confined(config, [&] { return ::socket(family, SOCK_STREAM, IPPROTO_SCTP); }),
                killed, "");
  }
  config.sandbox.hsm_port = 0;
  EXPECT_EXIT(confined(config, [] { return ::socket(AF_INET, SOCK_STREAM, 0); }), killed, "");
}

TEST(ConfineDeathTest, FilesInMemoryAreForTheCustodiansPinAlone) {
  if (!sandbox::kConfined) GTEST_SKIP() << "no filter in sanitizer builds";
  Config config = of_module("/usr/lib/softhsm/libsofthsm2.so");
  const auto make = [] { return ::memfd_create("x", MFD_CLOEXEC); };
  EXPECT_EXIT(confined(config, make), testing::KilledBySignal(SIGSYS), "");
  config.unseal.custodians = true;
  EXPECT_EXIT(confined(config, make), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace cardvault::daemon
