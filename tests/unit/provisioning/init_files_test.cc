#include "provisioning/init_files.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "provisioning/config_file.h"
#include "provisioning/init.h"
#include "provisioning/new_keys.h"
#include "tests/fakes/own_path.h"
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
  const std::string path = fakes::own_path("init_files.toml");
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
  EXPECT_EQ(config.two_operators, std::vector<std::string>{"client.release"});
}

// What is written out is what the vault does without the file's sections.
TEST(InitFiles, SpellOutTheDefaultsOfCodesAndSecrets) {
  const core::Settings written = parsed(example()).settings, defaults;
  EXPECT_EQ(written.confirm_sealed, defaults.confirm_sealed);
  EXPECT_EQ(written.otp.resend_s, defaults.otp.resend_s);
  EXPECT_EQ(written.otp.sends, defaults.otp.sends);
  EXPECT_EQ(written.otp.send_window_s, defaults.otp.send_window_s);
  EXPECT_EQ(written.otp.spend_s, defaults.otp.spend_s);
  ASSERT_EQ(written.otp.purposes.size(), defaults.otp.purposes.size());
  for (const auto& [name, purpose] : defaults.otp.purposes) {
    ASSERT_TRUE(written.otp.purposes.contains(name)) << name;
    EXPECT_EQ(written.otp.purposes.at(name).ttl_s, purpose.ttl_s);
    EXPECT_EQ(written.otp.purposes.at(name).max_ttl_s, purpose.max_ttl_s);
    EXPECT_EQ(written.otp.purposes.at(name).digits, purpose.digits);
    EXPECT_EQ(written.otp.purposes.at(name).context, purpose.context) << name;
  }
  EXPECT_EQ(written.attempts.tries, defaults.attempts.tries);
  EXPECT_EQ(written.attempts.lock_s, defaults.attempts.lock_s);
  EXPECT_EQ(written.attempts.subject_cap, defaults.attempts.subject_cap);
  EXPECT_EQ(written.attempts.failures_per_hour, defaults.attempts.failures_per_hour);
  EXPECT_EQ(written.secrets.password_min, defaults.secrets.password_min);
  EXPECT_EQ(written.secrets.quick_code_digits, defaults.secrets.quick_code_digits);
  EXPECT_EQ(written.secrets.enroll_code, defaults.secrets.enroll_code);
  EXPECT_EQ(written.secrets.change_code, defaults.secrets.change_code);
  EXPECT_EQ(written.secrets.argon2_memory_kib, defaults.secrets.argon2_memory_kib);
  EXPECT_EQ(written.secrets.argon2_passes, defaults.secrets.argon2_passes);
  EXPECT_EQ(written.secrets.argon2_lanes, defaults.secrets.argon2_lanes);
}

TEST(Config, NamesTheActsThatMayTakeTwoOperators) {
  const std::string path = fakes::own_path("two_operators.toml");
  std::ofstream(path) << vault_toml(example(), "pkcs11:token=x?pin-source=file:/pin");
  const auto with = [&](const char* list) {
    return daemon::read_config(path, {std::string("admin.two_operators=") + list}).two_operators;
  };
  EXPECT_TRUE(with("[]").empty());
  EXPECT_EQ(with("[\"client.add\", \"recipient.replace\"]").size(), 2U);
  EXPECT_THROW((void)with("[\"client.list\"]"), base::StartupError);
  EXPECT_THROW((void)with("[\"bin.import\"]"), base::StartupError);
  std::remove(path.c_str());
}

TEST(InitFiles, TakeASecondHsmInEitherForm) {
  const std::string path = fakes::own_path("second_hsm.toml");
  std::ofstream(path) << vault_toml(example(), "pkcs11:token=x?pin-source=file:/pin");
  const auto with = [&](const std::string& setting) {
    return daemon::read_config(path, {"hsm.sessions=3", setting}).standbys;
  };
  const auto none = with("hsm.call_timeout_ms=1000");
  EXPECT_TRUE(none.empty());
  const auto listed = with("hsm.token=[\"pkcs11:token=x\", \"pkcs11:token=y\"]");
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0].token_uri, "pkcs11:token=y");
  EXPECT_EQ(listed[0].module, example().module);
  EXPECT_EQ(listed[0].sessions, 3U);
  const auto other = with("hsm.standby=[{token = \"pkcs11:token=y\", module = \"/lib/y.so\"}]");
  ASSERT_EQ(other.size(), 1U);
  EXPECT_EQ(other[0].module, "/lib/y.so");
  EXPECT_EQ(other[0].softhsm_conf, "") << "the first one's is not for another module";
  for (const char* bad :
       {"hsm.token=[]", "hsm.token=[1]", "hsm.standby=[{module = \"/lib/y.so\"}]",
        "hsm.standby=\"pkcs11:token=y\"", "hsm.standby=[{token = \"x\", sessions = 2}]"}) {
    EXPECT_THROW((void)with(bad), base::StartupError) << bad;
  }
  std::remove(path.c_str());
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
    const bool web_tier = !processor && gate.ceiling.gate != "auditor";
    EXPECT_EQ(gate.ceiling.permissions.has(core::Permission::kSecretsManage), web_tier);
    EXPECT_EQ(gate.ceiling.permissions.has(core::Permission::kSecretsVerify), web_tier);
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

}  // namespace
}  // namespace cardvault::provisioning
