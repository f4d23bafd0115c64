#include "hsm/redundancy.h"

#include <gtest/gtest.h>

namespace cardvault::hsm {
namespace {

using enum HsmState;

TEST(Redundancy, TellsTheLastThatAllRefuseTheirPin) {
  Redundancy tokens(2);
  tokens.changed(kUnavailable, kPinRefused);
  EXPECT_EQ(tokens.together(kPinRefused), kUnavailable) << "the other may serve yet";
  tokens.changed(kUnavailable, kPinRefused);
  EXPECT_EQ(tokens.together(kPinRefused), kPinRefused);
  EXPECT_EQ(tokens.together(kPinRefused), kUnavailable);
}

TEST(Redundancy, TellsOneAloneWhereBothComeToItAtOnce) {
  Redundancy tokens(2);
  tokens.changed(kUnavailable, kPinRefused);
  tokens.changed(kUnavailable, kPinRefused);
  EXPECT_EQ(tokens.together(kPinRefused), kPinRefused);
  EXPECT_EQ(tokens.together(kPinRefused), kUnavailable);
}

TEST(Redundancy, TellsItAgainOnceOneOfThemHasServed) {
  Redundancy tokens(2);
  tokens.changed(kUnavailable, kPinRefused);
  tokens.changed(kUnavailable, kPinRefused);
  ASSERT_EQ(tokens.together(kPinRefused), kPinRefused);
  tokens.changed(kPinRefused, kReady);
  EXPECT_EQ(tokens.together(kReady), kReady);
  tokens.changed(kReady, kUnavailable);
  EXPECT_EQ(tokens.together(kUnavailable), kUnavailable);
  tokens.changed(kUnavailable, kPinRefused);
  EXPECT_EQ(tokens.together(kPinRefused), kPinRefused);
}

}  // namespace
}  // namespace cardvault::hsm
