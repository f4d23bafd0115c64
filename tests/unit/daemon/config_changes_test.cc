#include "vault/daemon/config_changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "tests/fakes/own_path.h"

namespace cardvault::daemon {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kFile = R"(
[vault]
data_dir = "/var/lib/cardvault/data"
admin_socket = "/run/cardvault/admin.sock"
[hsm]
module = "/usr/lib/hsm.so"
token = "pkcs11:token=one"
[audit]
dir = "/var/lib/cardvault/audit"
[unseal]
custody = "/var/lib/cardvault/custody"
[otp.purpose.confirm_transaction]
context = true
[otp.purpose.change_password]
[[gate]]
name = "web"
socket = "/run/web.sock"
permissions = ["tokenize"]
)";

class ConfigChanges : public testing::Test {
 protected:
  ConfigChanges() : path_(fakes::own_path("config_changes_test.toml")) {}
  ~ConfigChanges() override { std::remove(path_.c_str()); }

  // What needs a restart when the file becomes another one.
  std::vector<std::string> after(const std::string& file,
                                 const std::vector<std::string>& overrides = {}) {
    const Config running = read(kFile, {});
    return needs_restart(running, read(file, overrides));
  }

  Config read(const std::string& file, const std::vector<std::string>& overrides) {
    std::ofstream(path_) << file;
    return read_config(path_, overrides);
  }

 private:
  const std::string path_;
};

// Every key of vault.toml(5).
TEST_F(ConfigChanges, EachKeyIsLiveOrNamed) {
  const struct {
    const char* change;
    const char* named;  // "": live
  } kKeys[] = {
      {"vault.data_dir=/elsewhere", "[vault] data_dir"},
      {"vault.admin_socket=/run/cardvault/other.sock", "[vault] admin_socket"},
      {"vault.issuer=bank", ""},
      {"hsm.module=/usr/lib/other.so", "[hsm]"},
      {"hsm.token=pkcs11:token=two", "[hsm]"},
      {"hsm.token=[\"pkcs11:token=one\", \"pkcs11:token=two\"]", "[hsm]"},
      {"hsm.init_args=x", "[hsm]"},
      {"hsm.softhsm_conf=/etc/softhsm2.conf", "[hsm]"},
      {"hsm.sessions=2", "[hsm]"},
      {"hsm.call_timeout_ms=6000", "[hsm]"},
      {"hsm.session_copies=false", "[hsm]"},
      {"hsm.cbc_hmac=true", "[hsm]"},
      {"hsm.standby=[{token = \"pkcs11:token=two\"}]", "[hsm]"},
      {"policy.countries=[\"KZ\", \"UZ\"]", ""},
      {"policy.currencies=[\"KZT\"]", ""},
      {"policy.cards_per_customer=11", ""},
      {"policy.pan_budget_day=11", ""},
      {"policy.pan_budget_month=31", ""},
      {"policy.bin_digits_stored=8", ""},
      {"policy.confirm_sealed=false", ""},
      {"policy.purpose={payment = {countries = [\"KZ\"]}}", ""},
      {"otp.resend_s=61", ""},
      {"otp.sends=6", ""},
      {"otp.send_window_s=3601", ""},
      {"otp.spend_s=800", ""},
      {"otp.purpose.change_password.digits=8", ""},
      {"attempts.tries=4", ""},
      {"attempts.lock_s=901", ""},
      {"attempts.subject_cap=99", ""},
      {"attempts.failures_per_hour=2999", ""},
      {"secrets.password_min=9", ""},
      {"secrets.quick_code_digits=5", ""},
      {"secrets.enroll_code=change_password", ""},
      {"secrets.change_code=confirm_transaction", ""},
      {"secrets.argon2_memory_kib=20000", ""},
      {"secrets.argon2_passes=3", ""},
      {"secrets.argon2_lanes=2", ""},
      {"secrets.workers=2", "[secrets] workers"},
      {"limits.rate_per_s=100", ""},
      {"limits.numeric_misses_per_minute=31", ""},
      {"limits.queue=100", "[limits] queue"},
      {"limits.workers=2", "[limits] workers"},
      {"reveal.client_per_hour=999", ""},
      {"reveal.client_per_day=4999", ""},
      {"reveal.card_per_day=19", ""},
      {"clock.max_offline_days=31", "[clock]"},
      {"unseal.by=custodians", "[unseal]"},
      {"unseal.custody=/elsewhere", "[unseal]"},
      {"unseal.drill_warning_days=181", "[unseal]"},
      {"keys.rewrap_rows_per_s=1", "[keys]"},
      {"keys.destroy_after_days=8", "[keys]"},
      {"keys.cryptoperiod_days={pan-enc = 364}", "[keys]"},
      {"audit.dir=/elsewhere", "[audit]"},
      {"audit.origin=bank.kz/vault", "[audit]"},
      {"audit.anchor=/elsewhere", "[audit]"},
      {"audit.closed=[\"/elsewhere\"]", "[audit]"},
      {"audit.syslog=/dev/log", "[audit]"},
      {"audit.syslog_enterprise=1", "[audit]"},
      {"disk.warn_mib=1", "[disk]"},
      {"disk.refuse_reveals_mib=1", "[disk]"},
      {"disk.refuse_writes_mib=1", "[disk]"},
      {"clients.ca_file=/elsewhere", "[clients]"},
      {"clients.certificate_days=31", "[clients]"},
      {"clients.ca_days=1826", "[clients]"},
      {"admin.operators=[{uid = 1, name = \"dina\"}]", "[admin]"},
      {"admin.two_operators=[]", "[admin]"},
      {"sandbox.read=[\"/elsewhere\"]", "[sandbox]"},
      {"sandbox.system_calls=[\"shmget\"]", "[sandbox]"},
      {"sandbox.hsm_port=1", "[sandbox]"},
  };
  for (const auto& [change, named] : kKeys) {
    SCOPED_TRACE(change);
    const auto found = after(kFile, {change});
    if (*named == '\0') {
      EXPECT_THAT(found, IsEmpty());
    } else {
      EXPECT_THAT(found, ElementsAre(named));
    }
  }
}

TEST_F(ConfigChanges, OfAGateTheCeilingAloneIsLive) {
  const std::string gone = std::string(kFile, std::string_view(kFile).find("[[gate]]"));
  const std::string gate = "[[gate]]\nname = \"web\"\n";
  EXPECT_THAT(after(gone + gate + "socket = \"/run/web.sock\"\nclients = [\"web\"]\n"), IsEmpty());
  EXPECT_THAT(after(gone + gate + "socket = \"/run/2.sock\"\n"),
              ElementsAre("[[gate]] web socket"));
  EXPECT_THAT(after(gone + gate + "socket = \"/run/web.sock\"\nuid = 9\n"),
              ElementsAre("[[gate]] web uid"));
  EXPECT_THAT(after(gone), ElementsAre("[[gate]] web (gone)"));
  EXPECT_THAT(after(kFile + std::string("[[gate]]\nname = \"second\"\nsocket = \"/run/2.sock\"\n")),
              ElementsAre("[[gate]] second (new)"));
}

TEST_F(ConfigChanges, WhatNeedsARestartIsNotTakenOver) {
  const std::string other = std::string(kFile) + "clients = [\"web\"]\n[limits]\nqueue = 100\n";
  Config running = read(kFile, {});
  const Config wanted = read(other + "rate_per_s = 1\n", {"policy.cards_per_customer=11"});
  take_live(running, wanted);
  EXPECT_EQ(running.settings.rate_per_s, 1U);
  EXPECT_EQ(running.settings.cards_per_customer, 11U);
  EXPECT_THAT(running.gates.at(0).ceiling.clients, ElementsAre("web"));
  EXPECT_THAT(needs_restart(running, wanted), ElementsAre("[limits] queue"));
}

TEST_F(ConfigChanges, AllAreNamedTogether) {
  EXPECT_THAT(after(kFile, {"limits.queue=100", "limits.rate_per_s=1", "disk.warn_mib=1"}),
              ElementsAre("[limits] queue", "[disk]"));
}

}  // namespace
}  // namespace cardvault::daemon
