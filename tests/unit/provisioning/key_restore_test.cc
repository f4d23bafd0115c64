// A backup of keys, proven on a token that is thrown away.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <thread>

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

std::set<std::string> proofs() {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator("/dev/shm")) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("cardvault-proof-")) names.insert(name);
  }
  return names;
}

// Nothing is there that was not before; what other processes make, they take away.
bool none_stays(const std::set<std::string>& before) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!std::ranges::includes(before, proofs())) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

TEST(RestoreProof, ComesBackWithItsCheckValueAndLeavesNothing) {
  const auto keys = wrapped();
  const auto before = proofs();
  EXPECT_NO_THROW(prove_restore(keys, backup_key()));
  EXPECT_TRUE(none_stays(before));
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
