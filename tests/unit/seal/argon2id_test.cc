#include "vault/seal/argon2id.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "vault/base/secret.h"
#include "vault/core/text_form.h"

namespace cardvault::seal {
namespace {

constexpr core::PasswordSalt kSalt = {'s', 'o', 'm', 'e', 's', 'a', 'l', 't',
                                      's', 'o', 'm', 'e', 's', 'a', 'l', 't'};

std::string hex_of(std::string_view password, core::Argon2Cost cost,
                   const core::PasswordSalt& salt = kSalt) {
  const auto out = Argon2id().derive(base::as_bytes(password), salt, cost);
  EXPECT_TRUE(out);
  return out ? core::to_hex(*out) : "";
}

TEST(Argon2id, AgreesWithAnotherImplementation) {
  // By libsodium's crypto_pwhash, and, for several lanes, by the argon2 command.
  EXPECT_EQ(hex_of("password", {65536, 2, 1}),
            "fc33b78139231d34b71626bd6245c1d72efa190ad605c3d8166a72adcedfa2c2");
  EXPECT_EQ(hex_of("password", {256, 3, 4}),
            "3ae75675fc1875866526c8f930cb40d6fe751ec0bea5ad3052bafca5369373b3");
}

TEST(Argon2id, DependsOnEveryInput) {
  const core::Argon2Cost cost{64, 1, 1};
  const std::string one = hex_of("password", cost);
  EXPECT_EQ(one.size(), 64U);
  EXPECT_EQ(one, hex_of("password", cost));
  EXPECT_NE(one, hex_of("passwore", cost));
  EXPECT_NE(one, hex_of("password", cost, {}));
  EXPECT_NE(one, hex_of("password", {128, 1, 1}));
  EXPECT_NE(one, hex_of("password", {64, 2, 1}));
  EXPECT_NE(one, hex_of("password", {64, 1, 2}));
}

TEST(Argon2id, RefusesImpossibleCosts) {
  for (const core::Argon2Cost cost : {core::Argon2Cost{7, 1, 1}, {64, 0, 1}, {64, 1, 0}}) {
    const auto out = Argon2id().derive(base::as_bytes("password"), kSalt, cost);
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().code, base::Code::kInternal);
  }
}

TEST(Argon2id, IsAskedByManyThreads) {
  const core::Argon2Cost cost{1024, 1, 1};
  const std::string want = hex_of("password", cost);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) wrong += hex_of("password", cost) == want ? 0 : 1;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace cardvault::seal
