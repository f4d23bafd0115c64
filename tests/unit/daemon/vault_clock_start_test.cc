// The vault's clock when the daemon comes back.
#include <gtest/gtest.h>

#include "tests/unit/daemon/test_vault.h"
#include "vault/daemon/vault.h"

namespace cardvault::daemon {
namespace {

// A kill comes up to ten seconds after the last mark.
TEST(VaultClockAtStart, IsNoEarlierThanTheLastEvent) {
  TestVault vault;
  const std::int64_t said = core::VaultClock::system_sources().wall_ms() + 60'000;
  vault.clock.now = said;
  EXPECT_EQ(outcome_name(vault.tokenize("4111111111111111", "+77011234567")), "ok");
  vault.restart();
  const auto clock = open_vault_clock(*vault.store, 30 * 86'400'000LL);
  EXPECT_GE(clock->now_ms(), said);
  EXPECT_FALSE(clock->trusted());  // the wall clock is a minute behind
}

}  // namespace
}  // namespace cardvault::daemon
