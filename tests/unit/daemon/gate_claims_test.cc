#include "vault/daemon/gate_claims.h"

#include <gtest/gtest.h>

#include "tests/unit/daemon/hand_made_gate.h"

namespace cardvault::daemon {
namespace {

std::string serial(const std::string& claimed) {
  core::Caller caller;
  caller.serial = claimed;
  return logged_caller(std::move(caller)).serial;
}

TEST(GateClaims, ASerialIsHexadecimal) {
  EXPECT_EQ(serial(""), "");
  EXPECT_EQ(serial("0a1B2c"), "0a1B2c");
  EXPECT_EQ(serial(std::string(64, 'f')), std::string(64, 'f'));
  EXPECT_EQ(serial(std::string(65, 'f')), "?");
  EXPECT_EQ(serial("Erika Mustermann"), "?");
  EXPECT_EQ(serial("4111111111111111"), "?");
  EXPECT_EQ(serial("ab4111111111111111cd"), "?");
}

TEST(GateClaims, AnAddressIsOne) {
  for (const char* good : {"", "*", "192.0.2.7", "2001:db8::7", "::ffff:192.0.2.7"}) {
    EXPECT_EQ(logged_address(good), good);
  }
  for (const char* bad : {"4111111111111111", "192.0.2", "a.b.c.d", "192.0.2.7 and more", "**"}) {
    EXPECT_EQ(logged_address(bad), "?");
  }
}

TEST(GateClaims, AReasonIsOneOfTheList) {
  EXPECT_EQ(logged_reason("source_limit"), "source_limit");
  EXPECT_EQ(logged_reason("made_up"), "unnamed");
}

TEST_F(GateLinkTest, WhatAGateSaysOfAStrangerIsNoFreeText) {
  const auto link = this->link(web_gate());
  gate_.greet();
  core::Caller stranger = caller(TestVault::kStranger);
  stranger.source = "4111111111111111";
  stranger.serial = "4111111111111111";
  gate_.send(1, stranger, core::Whoami{});
  EXPECT_EQ(outcome_name(gate_.answer()), "client_unknown");
  EXPECT_EQ(vault_.count_in_log("4111111111111111"), 0U);
  EXPECT_EQ(vault_.count_in_log("\"certificate\":\"?\""), 1U);
}

}  // namespace
}  // namespace cardvault::daemon
