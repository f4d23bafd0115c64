#include "provisioning/config_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "provisioning/exit_code.h"
#include "tests/fakes/own_path.h"

namespace cardvault::provisioning {
namespace {

TEST(PinFile, ReadsEveryFormOfAPinSource) {
  EXPECT_EQ(pin_file_of("pkcs11:token=vault?pin-source=file:/etc/pin"), "/etc/pin");
  EXPECT_EQ(pin_file_of("pkcs11:token=vault?pin-source=file:///etc/pin"), "/etc/pin");
  EXPECT_EQ(pin_file_of("pkcs11:token=vault?module-name=x&pin-source=/etc/my%20pin&x=y"),
            "/etc/my pin");
  EXPECT_EQ(pin_file_of("pkcs11:token=vault"), "");
}

TEST(PinFile, EncodesAndDecodesAPath) {
  const std::string path = "/tmp/a b&c;d%e?é/pin";
  EXPECT_EQ(pin_file_of("pkcs11:token=v?pin-source=file:" + uri_encode(path)), path);
}

TEST(ConfigFile, SaysWhereAFileIsBroken) {
  const std::string path = fakes::own_path("broken.toml");
  std::ofstream(path) << "[vault]\ndata_dir = \n";
  try {
    (void)read_config_file(path);
    FAIL() << "a broken file was read";
  } catch (const ToolError& problem) {
    EXPECT_EQ(problem.code(), ExitCode::kLocal);
    EXPECT_THAT(problem.what(), testing::HasSubstr("broken.toml:2: "));
  }
  std::remove(path.c_str());
}

TEST(ConfigFile, ReadsEveryHsm) {
  const std::string path = fakes::own_path("hsms.toml");
  std::ofstream(path)
      << "[hsm]\nmodule = \"/m\"\ntoken = [\"pkcs11:token=a\", \"pkcs11:token=b\"]\n"
         "softhsm_conf = \"/c\"\n"
         "[[hsm.standby]]\ntoken = \"pkcs11:token=c\"\nmodule = \"/n\"\n";
  const ConfigFile config = read_config_file(path);
  std::remove(path.c_str());
  ASSERT_EQ(config.hsms.size(), 3U);
  EXPECT_EQ(config.hsms[1].token, "pkcs11:token=b");
  EXPECT_EQ(config.hsms[1].softhsm_conf, "/c");
  EXPECT_EQ(config.hsms[2].module, "/n");
  EXPECT_EQ(config.hsms[2].softhsm_conf, "");
}

TEST(ConfigFile, ReadsPathsAndGates) {
  const std::string path = fakes::own_path("good.toml");
  std::ofstream(path) << "[vault]\ndata_dir = \"/d\"\nadmin_socket = \"/s\"\n"
                         "[hsm]\nmodule = \"/m\"\ntoken = \"pkcs11:token=t\"\n"
                         "[[gate]]\nname = \"web\"\nsocket = \"/g\"\nuid = 7\n";
  const ConfigFile config = read_config_file(path);
  std::remove(path.c_str());
  EXPECT_EQ(config.data_dir, "/d");
  EXPECT_EQ(config.admin_socket, "/s");
  EXPECT_EQ(config.hsms.at(0).module, "/m");
  ASSERT_EQ(config.gates.size(), 1U);
  EXPECT_EQ(config.gates[0].uid, 7);
}

}  // namespace
}  // namespace cardvault::provisioning
