#include "vault/custody/shamir.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/custody/custody_fixture.h"

namespace cardvault::custody {
namespace {

using testing::secret_of;

std::vector<Part> chosen(const std::vector<Part>& parts, unsigned mask) {
  std::vector<Part> out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if ((mask >> i & 1U) != 0) out.push_back(parts[i]);
  }
  return out;
}

TEST(Shamir, EveryChoiceOfKPartsGivesTheSecretAndFewerDoNot) {
  const base::SecretBuffer secret = secret_of(7);
  for (unsigned n = 2; n <= 6; ++n) {
    for (unsigned k = 2; k <= n; ++k) {
      const auto parts = split(secret, k, n);
      for (unsigned mask = 1; mask < 1U << n; ++mask) {
        const bool enough = static_cast<unsigned>(__builtin_popcount(mask)) >= k;
        EXPECT_EQ(combine(chosen(parts, mask)) == secret, enough) << k << "/" << n << " " << mask;
      }
    }
  }
}

TEST(Shamir, SplitsTheSameSecretDifferentlyEachTime) {
  const base::SecretBuffer secret = secret_of(1);
  const auto first = split(secret, 3, 5);
  const auto second = split(secret, 3, 5);
  for (std::size_t i = 0; i < first.size(); ++i) EXPECT_NE(first[i].bytes, second[i].bytes);
  const std::vector<Part> mixed = {first[0], first[1], second[2]};
  EXPECT_NE(combine(mixed), secret);
}

TEST(Shamir, AShareOfAConstantSecretTakesEveryValue) {
  std::set<std::uint8_t> seen;
  for (int i = 0; i < 200; ++i) {
    const auto parts = split(base::SecretBuffer(64, 0), 2, 2);
    for (const std::uint8_t byte : parts[0].bytes) {
      seen.insert(byte);
    }
  }
  EXPECT_EQ(seen.size(), 256U);
}

// Field arithmetic of our own: what a reader without libgfshare would write in ten years.
std::uint8_t times(std::uint8_t a, std::uint8_t b) {
  unsigned out = 0;
  unsigned wide = a;
  for (; b != 0; b = static_cast<std::uint8_t>(b >> 1U)) {
    if ((b & 1U) != 0) out ^= wide;
    wide <<= 1U;
    if ((wide & 0x100U) != 0) wide ^= 0x11dU;
  }
  return static_cast<std::uint8_t>(out);
}

std::uint8_t inverse(std::uint8_t a) {
  std::uint8_t out = 1;
  for (int i = 0; i < 254; ++i) out = times(out, a);
  return out;
}

TEST(Shamir, IsLagrangeInterpolationAtZeroOverPolynomial11d) {
  const base::SecretBuffer secret = secret_of(99);
  auto parts = split(secret, 3, 5);
  parts.erase(parts.begin() + 1);
  parts.resize(3);
  base::SecretBuffer out(secret.size(), 0);
  for (const Part& one : parts) {
    std::uint8_t weight = 1;
    for (const Part& other : parts) {
      if (other.index == one.index) continue;
      weight = times(weight, times(other.index, inverse(one.index ^ other.index)));
    }
    for (std::size_t i = 0; i < out.size(); ++i) out[i] ^= times(weight, one.bytes[i]);
  }
  EXPECT_EQ(out, secret);
}

TEST(ShamirDeathTest, RefusesThresholdsThatAreNone) {
  const base::SecretBuffer secret = secret_of(1);
  EXPECT_DEATH(static_cast<void>(split(secret, 1, 3)), "threshold");
  EXPECT_DEATH(static_cast<void>(split(secret, 4, 3)), "threshold");
  EXPECT_DEATH(static_cast<void>(split(secret, 2, 17)), "parts");
}

}  // namespace
}  // namespace cardvault::custody
