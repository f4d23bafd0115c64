#include "vault/daemon/request_cost.h"

#include <gtest/gtest.h>

namespace cardvault::daemon {
namespace {

core::Request reveals(std::size_t items, const char* recipient) {
  core::Detokenize request;
  request.batch = true;
  request.items.resize(items, {"tok_1", "payment", false, recipient, {}});
  return request;
}

TEST(RequestCost, IsTheHsmsWork) {
  core::Tokenize batch;
  batch.items.resize(1000);
  EXPECT_EQ(hsm_calls(core::Request(std::move(batch))), 3000U);
  EXPECT_EQ(hsm_calls(reveals(100, "")), 100U);
  EXPECT_EQ(hsm_calls(reveals(100, "acquirer")), 300U);
  EXPECT_GE(hsm_calls(core::OtpSeal{}), 6U);
  EXPECT_EQ(hsm_calls(core::Whoami{}), 1U);
}

TEST(RequestCost, OfAClientsRateIsAtLeastItsItems) {
  core::Tokenize batch;
  batch.items.resize(1000);
  EXPECT_EQ(rate_items(core::Request(std::move(batch))), 1000U);
  EXPECT_EQ(rate_items(reveals(1000, "")), 1000U);
  EXPECT_EQ(rate_items(core::OtpSeal{}), 3U);
  EXPECT_EQ(rate_items(core::OtpVerify{}), 2U);
  EXPECT_EQ(rate_items(core::TokenGet{}), 1U);
}

}  // namespace
}  // namespace cardvault::daemon
