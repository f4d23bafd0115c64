#include "vault/base/secret.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <type_traits>

namespace cardvault::base {
namespace {

static_assert(!std::is_copy_constructible_v<SecretText>);
static_assert(!std::is_copy_assignable_v<SecretText>);
static_assert(std::is_nothrow_move_constructible_v<SecretText>);

TEST(Wipe, ClearsEveryByte) {
  std::array<char, 16> text{};
  text.fill('4');
  wipe(text.data(), text.size());
  EXPECT_TRUE(std::ranges::all_of(text, [](char c) { return c == 0; }));
  wipe(nullptr, 0);
}

TEST(SecretText, MovesWithoutLeavingACopy) {
  SecretText from("4111111111111111");
  SecretText to(std::move(from));
  EXPECT_TRUE(from.empty());  // NOLINT(bugprone-use-after-move): that is what is tested
  EXPECT_EQ(to.expose(), "4111111111111111");
  SecretText assigned("other");
  assigned = std::move(to);
  EXPECT_TRUE(to.empty());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(assigned.expose(), "4111111111111111");
}

TEST(SecretText, ClonesOnRequest) {
  const SecretText original("+77011234567");
  const SecretText copy = original.clone();
  EXPECT_EQ(copy.expose(), original.expose());
  EXPECT_NE(copy.expose().data(), original.expose().data());
}

TEST(SecretBuffer, KeepsItsBytesWhenItGrows) {
  SecretBuffer buffer;
  for (unsigned i = 0; i < 1000; ++i) buffer.push_back(static_cast<std::uint8_t>(i));
  for (unsigned i = 0; i < 1000; ++i) ASSERT_EQ(buffer[i], static_cast<std::uint8_t>(i));
  EXPECT_EQ(as_text(as_bytes("abc")), "abc");
}

}  // namespace
}  // namespace cardvault::base
