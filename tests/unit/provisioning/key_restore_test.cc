// A backup of keys, proven on a token that is thrown away.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "provisioning/exit_code.h"
#include "provisioning/key_restore_proof.h"
#include "provisioning/private_file.h"
#include "provisioning/saved_softhsm_conf.h"

namespace cardvault::provisioning {
namespace {

namespace fs = std::filesystem;

base::SecretBuffer backup_key() { return base::SecretBuffer(32, 0x5a); }

std::vector<hsm::WrappedKey> wrapped() {
  std::string dir = (fs::temp_directory_path() / "cardvault-wrapped-XXXXXX").string();
  EXPECT_NE(::mkdtemp(dir.data()), nullptr);
  const SavedSoftHsmConf saved;
  hsm::TokenConfig config;
  config.module = "/usr/lib/softhsm/libsofthsm2.so";
  config.softhsm_conf = dir + "/conf";
  create_folder(dir + "/token", 0700, {});
  create_file(config.softhsm_conf, hsm::softhsm_conf_text(dir + "/token"), 0600, {});
  const base::SecretText pin = hsm::random_pin();
  config.token_uri = *hsm::init_token(config, {"one", hsm::random_pin(), pin.clone()});
  const core::KeyRef key{core::KeyPurpose::kPanEnc, 2};
  const auto maker = hsm::KeyMaker::open(config, pin);
  EXPECT_TRUE(maker->make(key));
  auto out = maker->wrap(std::vector{key}, backup_key());
  EXPECT_TRUE(out);
  fs::remove_all(dir);
  return *out;
}

int proofs() {
  int count = 0;
  for (const auto& entry : fs::directory_iterator("/dev/shm")) {
    count += entry.path().filename().string().starts_with("cardvault-proof-") ? 1 : 0;
  }
  return count;
}

TEST(RestoreProof, ComesBackWithItsCheckValueAndLeavesNothing) {
  const auto keys = wrapped();
  const int before = proofs();
  EXPECT_NO_THROW(prove_restore(keys, backup_key()));
  EXPECT_EQ(proofs(), before);
}

TEST(RestoreProof, AnotherBackupKeyOrAnotherKeyIsNoBackup) {
  auto keys = wrapped();
  EXPECT_THROW(prove_restore(keys, base::SecretBuffer(32, 1)), ToolError);
  keys[0].kcv = "0000000000";
  EXPECT_THROW(prove_restore(keys, backup_key()), ToolError);
}

TEST(RestoreProof, TheConfiguredSoftHsmIsAsItWas) {
  ::setenv("SOFTHSM2_CONF", "/some/conf", 1);
  static_cast<void>(wrapped());
  EXPECT_STREQ(std::getenv("SOFTHSM2_CONF"), "/some/conf");
  ::unsetenv("SOFTHSM2_CONF");
}

}  // namespace
}  // namespace cardvault::provisioning
