// Small values: hex, key labels, operations' names, permissions, expiry, responses.
#include <gtest/gtest.h>

#include <array>

#include "vault/core/crypto.h"
#include "vault/core/expiry.h"
#include "vault/core/identity.h"
#include "vault/core/request.h"
#include "vault/core/response.h"
#include "vault/core/text_form.h"

namespace cardvault::core {
namespace {

TEST(Hex, GoesThereAndBack) {
  const std::array<std::uint8_t, 4> bytes = {0x00, 0x0f, 0xa5, 0xff};
  EXPECT_EQ(to_hex(bytes), "000fa5ff");
  std::array<std::uint8_t, 4> back{};
  ASSERT_TRUE(from_hex("000fa5ff", back).has_value());
  EXPECT_EQ(back, bytes);
  EXPECT_EQ(to_hex({}), "");
  EXPECT_TRUE(from_hex("", {}).has_value());
}

TEST(Hex, HasOneSpelling) {
  std::array<std::uint8_t, 2> out{};
  for (const std::string_view text : {"00FF", "00f", "00fff", "0x0f", "00 f", "zzzz", ""}) {
    EXPECT_EQ(from_hex(text, out).error().code, base::Code::kInvalidArgument) << text;
  }
  EXPECT_FALSE(from_hex(std::string_view("00\0f", 4), out).has_value());
}

TEST(KeyLabel, NamesPurposeAndVersion) {
  EXPECT_EQ(key_label({KeyPurpose::kPanEnc, 1}), "pan-enc/1");
  EXPECT_EQ(key_label({KeyPurpose::kAuditSign, 42}), "audit-sign/42");
  constexpr std::array<std::string_view, kKeyPurposes> kNames = {
      "pan-enc",    "pan-index", "id-index",   "id-enc",   "otp-mac",
      "secret-enc", "seal-sign", "audit-sign", "client-ca"};
  for (std::size_t i = 0; i < kKeyPurposes; ++i) {
    EXPECT_EQ(key_purpose_name(kAllKeyPurposes[i]), kNames[i]);
  }
}

TEST(OperationName, NamesEveryRequest) {
  EXPECT_EQ(operation_name(Tokenize{}), "tokenize");
  EXPECT_EQ(operation_name(Detokenize{}), "detokenize");
  EXPECT_EQ(operation_name(CardsSearch{}), "cards.search");
  EXPECT_EQ(operation_name(TokenGet{}), "token.get");
  EXPECT_EQ(operation_name(TokenDelete{}), "token.delete");
  EXPECT_EQ(operation_name(TokenFreeze{.token = "", .frozen = true}), "token.freeze");
  EXPECT_EQ(operation_name(TokenFreeze{.token = "", .frozen = false}), "token.unfreeze");
  EXPECT_EQ(operation_name(Whoami{}), "whoami");
  EXPECT_EQ(operation_name(MetricsRead{}), "metrics");
  EXPECT_EQ(operation_name(ReadyCheck{}), "ready");
  EXPECT_EQ(operation_name(Refused{base::Code::kInvalidJson, "made up by a gate"}), "refused");
  EXPECT_EQ(operation_name(Flood{}), "flood");
}

TEST(Permissions, GoThereAndBackByName) {
  const std::vector<std::string> names = {"tokenize",     "tokenize.anonymous", "cards.read",
                                          "cards.manage", "detokenize",         "detokenize.sealed",
                                          "otp.seal",     "otp.verify",         "otp.clear",
                                          "audit.read",   "metrics.read"};
  const auto all = Permissions::parse(names);
  ASSERT_TRUE(all.has_value());
  EXPECT_EQ(all->bits, (1U << names.size()) - 1);
  EXPECT_EQ(all->names(), names);
  EXPECT_TRUE(all->has(Permission::kDetokenize));
  EXPECT_FALSE(Permissions::parse({})->has(Permission::kDetokenize));
  EXPECT_EQ(Permissions::parse({"tokenize", "all"}).error().code, base::Code::kInvalidArgument);
  EXPECT_FALSE(Permissions::parse({"Tokenize"}).has_value());
  EXPECT_FALSE(Permissions::parse({""}).has_value());
}

TEST(Permissions, MeetInACeiling) {
  const auto client = *Permissions::parse({"tokenize", "detokenize"});
  const auto ceiling = *Permissions::parse({"tokenize", "cards.read"});
  EXPECT_EQ((client & ceiling).names(), std::vector<std::string>{"tokenize"});
}

TEST(ClientId, IsAShortPlainName) {
  for (const std::string_view good : {"a", "0", "web", "web-1.example_x"}) {
    EXPECT_TRUE(valid_client_id(good)) << good;
  }
  EXPECT_TRUE(valid_client_id(std::string(63, 'a')));
  EXPECT_FALSE(valid_client_id(std::string(64, 'a')));
  for (const std::string_view bad : {"", "Web", "-web", ".web", "_web", "we b", "web\n",
                                     "w\xC3\xA9", "4111111111111111", "a-4111-1111-1111-1111"}) {
    EXPECT_FALSE(valid_client_id(bad)) << bad;
  }
}

TEST(ExpiryParse, ReadsYearAndMonth) {
  EXPECT_EQ(Expiry::parse("2027-12")->months, 2027 * 12 + 11);
  for (const std::string text : {"2000-01", "2027-12", "2028-01", "2099-12"}) {
    EXPECT_EQ(Expiry::parse(text)->text(), text);
  }
  EXPECT_EQ(Expiry{}.text(), "");
  EXPECT_FALSE(Expiry{}.known());
}

TEST(ExpiryParse, RefusesEverythingElse) {
  for (const std::string_view text :
       {"", "2027", "12/27", "2027-13", "2027-00", "1999-12", "2100-01", "2027-1", "2027/12",
        " 2027-12", "2027-012", "+027-12"}) {
    EXPECT_EQ(Expiry::parse(text).error().code, base::Code::kInvalidExpiry) << text;
  }
}

TEST(Expiry, EndsWithItsMonthInTheLastPlaceOnEarth) {
  const Expiry november = *Expiry::parse("2026-11");
  constexpr std::int64_t kDecemberUtc = 1'796'083'200'000;  // 2026-12-01T00:00:00Z
  constexpr std::int64_t kTwelveHours = 12LL * 3600 * 1000;
  EXPECT_FALSE(november.expired(kDecemberUtc));
  EXPECT_FALSE(november.expired(kDecemberUtc + kTwelveHours - 1));
  EXPECT_TRUE(november.expired(kDecemberUtc + kTwelveHours));
  constexpr std::int64_t kJanuaryUtc = 1'798'761'600'000;  // 2027-01-01T00:00:00Z
  EXPECT_FALSE(Expiry::parse("2026-12")->expired(kJanuaryUtc + kTwelveHours - 1));
  EXPECT_TRUE(Expiry::parse("2026-12")->expired(kJanuaryUtc + kTwelveHours));
  EXPECT_FALSE(Expiry{}.expired(kJanuaryUtc));
}

TEST(Response, PassesWithoutAnEventOnlyWhatCantHaveOne) {
  for (const base::Code code :
       {base::Code::kRateLimited, base::Code::kVaultUnavailable, base::Code::kOverloaded,
        base::Code::kSealed, base::Code::kStoreFailed, base::Code::kStorageFull,
        base::Code::kClockSuspect}) {
    const Response response = Response::unaudited({code, 3});
    EXPECT_EQ(std::get<Failure>(response.answer()).code, code);
    EXPECT_EQ(std::get<Failure>(response.answer()).retry_after_s, 3U);
  }
}

TEST(ResponseDeathTest, AbortsOnAnyOtherFailureWithoutAnEvent) {
  EXPECT_DEATH(static_cast<void>(Response::unaudited({base::Code::kTokenNotFound, 0})), "bug: ");
  EXPECT_DEATH(static_cast<void>(Response::unaudited({base::Code::kInternal, 0})), "bug: ");
}

}  // namespace
}  // namespace cardvault::core
