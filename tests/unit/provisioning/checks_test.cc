#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "provisioning/doctor.h"
#include "provisioning/exit_code.h"
#include "provisioning/local_checks.h"
#include "provisioning/private_file.h"
#include "tests/fakes/own_path.h"

namespace cardvault::provisioning {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

struct Checks : testing::Test {
  Checks() {
    std::string name = testing::TempDir() + "checksXXXXXX";
    dir = ::mkdtemp(name.data());
    create_folder(dir + "/data", 0700, {});
    create_folder(dir + "/token", 0750, {});
    create_file(dir + "/token/x.object", "", 0440, {});
    create_file(dir + "/softhsm2.conf", "directories.tokendir = " + dir + "/token\n", 0644, {});
    create_file(dir + "/pin", "secret", 0400, {});
    create_file(dir + "/vault.toml", "", 0644, {});
    config.data_dir = dir + "/data";
    config.hsms.resize(1);
    config.hsms.at(0).softhsm_conf = dir + "/softhsm2.conf";
    config.hsms.at(0).token = "pkcs11:token=t?pin-source=file:" + dir + "/pin";
  }
  ~Checks() override { fs::remove_all(dir); }

  Findings check() {
    Findings findings;
    check_files(dir + "/vault.toml", config, findings);
    return findings;
  }
  static std::string worst(const Findings& findings) {
    for (const Finding& finding : findings) {
      if (finding.severity == Severity::kError) return finding.what + " -> " + finding.advice;
    }
    return "";
  }
  std::string dir;
  ConfigFile config;
};

TEST_F(Checks, FindNothingInAVaultAsItIsMade) { EXPECT_EQ(worst(check()), ""); }

TEST_F(Checks, FindAChangeInPlaceThatWasBrokenOff) {
  config.hsms.at(0).softhsm_conf.clear();
  config.hsms.at(0).init_args = "configdir='sql:" + dir + "/token' flags=readOnly";
  EXPECT_EQ(worst(check()), "");
  create_file(dir + "/token/key4.db-journal", "", 0440, {});
  EXPECT_THAT(worst(check()), HasSubstr("key4.db-journal: a change of the token was broken off"));
}

TEST_F(Checks, FindAPinThatOthersMayRead) {
  ::chmod((dir + "/pin").c_str(), 0444);
  EXPECT_THAT(worst(check()), HasSubstr("chmod 0440 " + dir + "/pin"));
}

TEST_F(Checks, FindDatabasesThatOthersMayReach) {
  ::chmod((dir + "/data").c_str(), 0755);
  EXPECT_THAT(worst(check()), HasSubstr("chmod 0700"));
}

TEST_F(Checks, FindATokenThatTheDaemonMayWrite) {
  ::chmod((dir + "/token/x.object").c_str(), 0640);
  EXPECT_THAT(worst(check()), HasSubstr("destroy the keys"));
}

TEST_F(Checks, FindATokenFolderThatTheDaemonMayWrite) {
  ::chmod((dir + "/token").c_str(), 0770);
  EXPECT_THAT(worst(check()), HasSubstr("chmod go-w " + dir + "/token"));
}

TEST_F(Checks, FindFoldersThatOthersMayPutFilesInto) {
  config.audit_dir = dir + "/audit";
  config.custody_dir = dir + "/custody";
  config.admin_socket = dir + "/run/admin.sock";
  create_folder(dir + "/run", 0755, {});
  create_folder(dir + "/audit", 0750, {});
  create_folder(dir + "/custody", 0755, {});
  create_file(dir + "/custody/custodians", "", 0644, {});
  EXPECT_EQ(worst(check()), "");
  for (const char* folder : {"/run", "/audit", "/custody"}) {
    ::chmod((dir + folder).c_str(), 0777);
    EXPECT_THAT(worst(check()), HasSubstr("chmod 0755 " + dir + folder));
    ::chmod((dir + folder).c_str(), 0755);
  }
}

TEST_F(Checks, FindAMissingRegisterOfCustodians) {
  config.custody_dir = dir + "/custody";
  EXPECT_EQ(worst(check()), "") << "no ceremony was held";
  create_folder(dir + "/custody", 0755, {});
  EXPECT_THAT(worst(check()),
              HasSubstr("/custody/custodians, the custodians' register, is missing"));
}

TEST_F(Checks, FindAMissingTokenFolder) {
  fs::remove_all(dir + "/token");
  EXPECT_THAT(worst(check()), HasSubstr("No such file"));
}

TEST_F(Checks, FindAUriWithoutPin) {
  config.hsms.at(0).token = "pkcs11:token=t";
  EXPECT_THAT(worst(check()), HasSubstr("pin-source"));
}

TEST_F(Checks, FindWhatIsWrongWithTheSecondHsm) {
  create_file(dir + "/second", "secret", 0444, {});
  config.hsms.push_back(
      {"/no/such/module.so", "pkcs11:token=t?pin-source=file:" + dir + "/second", "", ""});
  EXPECT_THAT(worst(check()), HasSubstr("chmod 0440 " + dir + "/second"));
  config.hsms[0].module = "libc.so.6";
  Findings findings;
  check_module(config, findings);
  EXPECT_EQ(std::ranges::count(findings, Severity::kError, &Finding::severity), 2);
}

TEST_F(Checks, FindAModuleThatDoesNotLoadOrIsNone) {
  Findings findings;
  config.hsms.at(0).module = "/no/such/module.so";
  check_module(config, findings);
  EXPECT_THAT(worst(findings), HasSubstr("does not load"));
  findings.clear();
  config.hsms.at(0).module = "libm.so.6";
  check_module(config, findings);
  EXPECT_THAT(worst(findings), HasSubstr("no PKCS#11 module"));
}

TEST_F(Checks, FindAGateWithoutItsCertificate) {
  std::ofstream(dir + "/gate-web.toml") << "[gate]\ncertificate = \"/no/such.pem\"\n";
  config.gates.push_back({"web", "/s", 1, {"web"}});
  Findings findings;
  check_gates(dir + "/vault.toml", config, findings);
  EXPECT_THAT(worst(findings), HasSubstr("/no/such.pem"));
}

TEST(PrivateFile, IsNeverMadeThroughALinkOrTwice) {
  const std::string path = fakes::own_path("private_file");
  fs::remove(path);
  create_file(path, "a", 0400, {});
  EXPECT_THROW(create_file(path, "b", 0400, {}), ToolError);
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0400U);
  fs::remove(path);
  ASSERT_EQ(::symlink((path + ".target").c_str(), path.c_str()), 0);
  EXPECT_THROW(create_file(path, "c", 0400, {}), ToolError);
  EXPECT_FALSE(fs::exists(path + ".target"));
  fs::remove(path);
}

TEST(Doctor, ShowsTheWorstFirstAndReadsWhatItShows) {
  const auto table = findings_table(
      {{Severity::kOk, "a", ""}, {Severity::kError, "b", "c"}, {Severity::kWarning, "d", "e"}});
  EXPECT_EQ(table.rows[0], (std::vector<std::string>{"error", "b", "c"}));
  EXPECT_EQ(table.rows[2][0], "ok");
  const Findings read = read_findings(table);
  ASSERT_EQ(read.size(), 3U);
  EXPECT_EQ(read[1].severity, Severity::kWarning);
  EXPECT_EQ(read[1].advice, "e");
}

}  // namespace
}  // namespace cardvault::provisioning
