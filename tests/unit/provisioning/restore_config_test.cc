// The configuration of a restored vault.
#include "provisioning/restore_config.h"

#include <gmock/gmock.h>

#include "provisioning/exit_code.h"

namespace cardvault::provisioning {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

NewVault place() {
  NewVault vault;
  vault.layout = {"/new", "/new/etc", "/new/run"};
  vault.module = "/usr/lib/softhsm/libsofthsm2.so";
  vault.daemon_uid = 500;
  vault.gates = {{"web", 501}};
  return vault;
}

constexpr const char* kOld = R"(# a remark
[vault]
data_dir = "/old/data"
admin_socket = "/old/run/admin.sock"
[hsm]
module = "/vendor.so"
init_args = "configdir='sql:/old/nss'"
token = "pkcs11:token=old?pin-source=file:/old/pin"
softhsm_conf = "/old/softhsm2.conf"
sessions = 3
[audit]
dir = "/srv/log"
anchor = "/srv/anchor"
[policy]
cards_per_customer = 7
[unseal]
custody = "/old/custody"
drill_warning_days = 90
[[gate]]
name = "web"
socket = "/old/run/web.sock"
uid = 61002
permissions = ["tokenize"]
[[gate]]
name = "elsewhere"
socket = "/old/run/elsewhere.sock"
uid = 7
)";

TEST(RestoreConfig, PlacesAreTheNewMachinesAndSettingsWhatTheyWere) {
  const std::string text = restored_vault_toml(kOld, place(), "pkcs11:token=new", "bank/since-1");
  for (const char* part :
       {"'/new/data'", "'pkcs11:token=new'", "'bank/since-1'", "'/new/etc/softhsm2.conf'",
        "'/new/run/web.sock'", "uid = 501", "'/new/run/elsewhere.sock'", "uid = 7",
        "cards_per_customer = 7", "sessions = 3", "permissions = [ 'tokenize' ]"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  for (const char* part : {"/old", "/srv", "61002", "vendor", "init_args"}) {
    EXPECT_THAT(text, Not(HasSubstr(part)));
  }
}

TEST(RestoreConfig, WhoOpensTheVaultIsWhoHoldsTheNewTokensPin) {
  const std::string by_file =
      "[hsm]\ntoken = \"pkcs11:token=old\"\n[unseal]\nby = \"custodians\"\n"
      "survive_crash = true\ndrill_warning_days = 90\n";
  const std::string file =
      restored_vault_toml(by_file, place(), "pkcs11:token=new?pin-source=file:/new/pin", "");
  EXPECT_THAT(file, AllOf(Not(HasSubstr("by =")), Not(HasSubstr("survive_crash")),
                          HasSubstr("drill_warning_days = 90")));
  const std::string people = restored_vault_toml(by_file, place(), "pkcs11:token=new", "");
  EXPECT_THAT(people, AllOf(HasSubstr("by = 'custodians'"), HasSubstr("survive_crash = true")));
}

TEST(RestoreConfig, GatesReadTheirCertificatesFromTheNewFolder) {
  const std::string text = restored_gate_toml(
      "[gate]\nname = \"web\"\ncertificate = \"/old/gates/web.pem\"\ncrl = \"/elsewhere/crl.pem\"\n"
      "vault_uid = 61001\n[limits]\nheader_ms = 9\n",
      place(), "/old");
  for (const char* part :
       {"'/new/etc/gates/web.pem'", "'/elsewhere/crl.pem'", "vault_uid = 500", "header_ms = 9"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

TEST(RestoreConfig, WhatIsNoTomlIsRefused) {
  EXPECT_THROW(static_cast<void>(restored_vault_toml("[vault", place(), "", "")), ToolError);
}

}  // namespace
}  // namespace cardvault::provisioning
