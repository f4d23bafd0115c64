// Names under which sensitive authentication data are refused (PCI DSS 3.3.1).
#include <gtest/gtest.h>

#include <string>

#include "protocol/gate/json_request.h"

namespace cardvault::gate {
namespace {

using base::Code;

TEST(DecodeBody, KnowsTheUsualNamesOfSensitiveData) {
  for (const char* name : {"cvv",
                           "CVV",
                           "cvv2",
                           "cvc",
                           "cvc2",
                           "cid",
                           "cav2",
                           "cav",
                           "csc",
                           "cvn",
                           "cvn2",
                           "cvd",
                           "cve",
                           "security_code",
                           "securityCode",
                           "card_security_code",
                           "card-verification-value",
                           "cardVerificationValue",
                           "card_verification_code",
                           "pin",
                           "PIN_block",
                           "track1",
                           "track_2",
                           "track2Data",
                           "magstripe",
                           "magnetic_stripe",
                           "c_v_v",
                           "cvc1",
                           "cvv3",
                           "cvv_number",
                           "card_cvv2_code",
                           "card[cvv]"}) {
    const auto request =
        decode_body(Operation::kTokenize, R"({"pan":"1",")" + std::string(name) + R"(":"1"})");
    ASSERT_FALSE(request.has_value()) << name;
    EXPECT_EQ(request.error().code, Code::kSensitiveAuthenticationData) << name;
  }
}

TEST(DecodeBody, TakesNoOtherNamesForSensitiveData) {
  for (const char* name :
       {"city", "card", "number", "pinned", "tracking_number", "cards2", "cvvless"}) {
    const auto request = decode_body(
        Operation::kTokenize, R"({"pan":"1","metadata":{")" + std::string(name) + R"(":"1"}})");
    EXPECT_TRUE(request.has_value()) << name;
  }
}

}  // namespace
}  // namespace cardvault::gate
