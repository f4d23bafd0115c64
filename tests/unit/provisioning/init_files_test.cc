#include "provisioning/init_files.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "provisioning/config_file.h"
#include "provisioning/init.h"
#include "provisioning/new_keys.h"
#include "vault/daemon/config.h"

namespace cardvault::provisioning {
namespace {

NewVault example() {
  NewVault vault;
  vault.layout = {"/srv/a \"b\"", "/srv/a \"b\"", "/run/x"};
  vault.module = "/usr/lib/softhsm/libsofthsm2.so";
  vault.label = "my vault";
  vault.daemon_uid = 61001;
  vault.gates = {{"web", 61002}, {"processor", 61003}, {"auditor", 61004}, {"shop-2", 61005}};
  vault.operators = {{1000, "dina"}};
  return vault;
}

daemon::Config parsed(const NewVault& vault) {
  const std::string path = testing::TempDir() + "init_files.toml";
  std::ofstream(path) << vault_toml(vault, "pkcs11:token=my%20vault?pin-source=file:/srv/pin");
  daemon::Config config = daemon::read_config(path);
  std::remove(path.c_str());
  return config;
}

TEST(InitFiles, AreReadByTheDaemonAsMeant) {
  const daemon::Config config = parsed(example());
  EXPECT_EQ(config.data_dir, "/srv/a \"b\"/data");
  EXPECT_EQ(config.admin_socket, "/run/x/cardvaultd/admin.sock");
  EXPECT_EQ(config.hsm.token_uri, "pkcs11:token=my%20vault?pin-source=file:/srv/pin");
  EXPECT_EQ(config.hsm.softhsm_conf, "/srv/a \"b\"/softhsm2.conf");
  EXPECT_EQ(config.settings.cards_per_customer, 10U);
  EXPECT_EQ(config.settings.tokenize.countries, std::vector<std::string>{"KZ"});
  EXPECT_EQ(config.settings.purposes.at("card_to_card").currencies,
            std::vector<std::string>{"KZT"});
  ASSERT_EQ(config.operators.size(), 1U);
  EXPECT_EQ(config.operators[0].name, "dina");
}

TEST(InitFiles, GiveEveryGateItsOwnCeiling) {
  const daemon::Config config = parsed(example());
  ASSERT_EQ(config.gates.size(), 4U);
  for (const daemon::GateConfig& gate : config.gates) {
    const bool processor = gate.ceiling.gate == "processor";
    EXPECT_EQ(gate.ceiling.permissions.has(core::Permission::kDetokenize), processor);
    EXPECT_EQ(gate.ceiling.permissions.has(core::Permission::kAuditRead),
              gate.ceiling.gate == "auditor");
    EXPECT_FALSE(gate.ceiling.permissions.has(core::Permission::kOtpClear));
    EXPECT_EQ(gate.ceiling.clients, std::vector<std::string>{gate.ceiling.gate});
  }
  EXPECT_EQ(config.gates[3].uid, 61005);
}

TEST(InitPlan, RefusesBadNames) {
  InitOptions options;
  options.dir = "/srv/x";
  options.daemon_user = "61001";
  options.gates = {"../web=61002"};
  EXPECT_THROW((void)plan_vault(options), ToolError);
  options.gates = {"web=nobody-of-this-name"};
  EXPECT_THROW((void)plan_vault(options), ToolError);
  options.gates = {"web=61002"};
  options.label = std::string(33, 'x');
  EXPECT_THROW((void)plan_vault(options), ToolError);
  options.label = "vault";
  EXPECT_EQ(plan_vault(options).gates[0].uid, 61002);
}

TEST(InitArgs, NameTheFolderOfAToken) {
  EXPECT_EQ(folder_of_init_args("configdir='sql:/a b/c' certPrefix=''"), "/a b/c");
  EXPECT_EQ(folder_of_init_args("x=1 configdir=/a"), "/a");
  EXPECT_EQ(folder_of_init_args("flags=readOnly"), "");
}

TEST(InitArgs, GetNssToLeaveTheTokenAlone) {
  EXPECT_EQ(read_only_init_args("configdir='/a' flags='' x=1"),
            "configdir='/a' flags='readOnly' x=1");
  EXPECT_EQ(read_only_init_args("configdir='/a' flags='noModDB'"),
            "configdir='/a' flags='noModDB,readOnly'");
  EXPECT_EQ(read_only_init_args("configdir='/a' flags="), "configdir='/a' flags=readOnly");
  EXPECT_EQ(read_only_init_args("configdir='/a' flags=noModDB x=1"),
            "configdir='/a' flags=noModDB,readOnly x=1");
  EXPECT_EQ(read_only_init_args("configdir='/a'"), "configdir='/a' flags=readOnly");
  EXPECT_EQ(read_only_init_args("vendor=1"), "vendor=1");
}

// The key of C2SP's own example (signed-note): "PeterNeumann" with its hash.
TEST(VerifierKey, IsThatOfTheNoteFormat) {
  const std::string known = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
  core::SigningPublicKey key;
  key.ed25519 = true;
  key.point = {0x1a, 0x5c, 0xd9, 0x07, 0x14, 0x3c, 0x38, 0x4c, 0x41, 0xe8, 0x30,
               0xc5, 0xbc, 0xe1, 0x2a, 0xa8, 0x81, 0x7e, 0xc5, 0x64, 0x9a, 0xaa,
               0xbf, 0x2c, 0x31, 0x38, 0x8b, 0x35, 0xb2, 0xd7, 0x44, 0xd6};
  EXPECT_EQ(verifier_key("PeterNeumann", key), known);
}

}  // namespace
}  // namespace cardvault::provisioning
