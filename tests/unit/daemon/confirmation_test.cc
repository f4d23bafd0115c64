// A verified code is spent once, for what it confirmed, in time.
#include "vault/core/confirmation.h"

#include <gtest/gtest.h>

#include "tests/unit/daemon/otp_calls.h"

namespace cardvault::daemon {
namespace {

constexpr const char* kSubject = "+77011234567";
constexpr std::int64_t kRow = 1;  // the first customer's

class ConfirmationTest : public testing::Test {
 protected:
  core::Confirmation find(const std::optional<core::PaymentContext>& context,
                          std::int64_t row = kRow, std::string_view purpose = kPayment) {
    auto reader = vault_.store->make_reader();
    return *core::Confirmation::find(vault_.services, **reader, row, purpose, context);
  }
  // "conflict", "confirmation_required" or "ok"
  std::string spend(const core::Confirmation& confirmation) {
    std::string outcome;
    std::promise<void> done;
    vault_.store->committer().submit(std::make_unique<Effect>(
        [&](core::Transaction& tx, core::EventSink&) -> base::Result<void> {
          auto spent = confirmation.unchanged(tx);
          if (spent) spent = confirmation.spend(tx, vault_.clock.now);
          outcome = spent ? "ok" : base::code_name(spent.error().code);
          return {};
        },
        [&](const auto&) { done.set_value(); }));
    done.get_future().wait();
    return outcome;
  }
  void verified() {
    ASSERT_EQ(verify(vault_, kSubject, sealed_code(vault_, kSubject, kPayment), kPayment),
              "verified");
  }
  TestVault vault_;
};

TEST_F(ConfirmationTest, IsSpentOnce) {
  verified();
  const auto confirmation = find(groceries());
  const auto rival = find(groceries());
  EXPECT_TRUE(confirmation.fits(vault_.clock.now));
  EXPECT_EQ(confirmation.code_id().size(), 32U);
  EXPECT_EQ(spend(confirmation), "ok");
  EXPECT_EQ(spend(rival), "confirmation_required");
  EXPECT_FALSE(find(groceries()).fits(vault_.clock.now));
}

TEST_F(ConfirmationTest, IsForItsContextAlone) {
  verified();
  for (const core::PaymentContext& other :
       {core::PaymentContext{1'500'001, "KZT", "Green Grocer"},
        core::PaymentContext{1'500'000, "USD", "Green Grocer"},
        core::PaymentContext{1'500'000, "KZT", "Green Grocer."}}) {
    EXPECT_FALSE(find(other).fits(vault_.clock.now));
    EXPECT_EQ(spend(find(other)), "confirmation_required");
  }
  EXPECT_EQ(spend(find(std::nullopt)), "ok");  // whoever asks for none takes any
}

TEST_F(ConfirmationTest, IsOfItsSubjectAndPurpose) {
  verified();
  static_cast<void>(sealed_code(vault_, "+77010000002"));
  EXPECT_EQ(spend(find(groceries(), 2)), "confirmation_required");
  EXPECT_EQ(spend(find(groceries(), 0)), "confirmation_required");
  EXPECT_EQ(spend(find(groceries(), kRow, kLogin)), "confirmation_required");
  EXPECT_EQ(spend(find(groceries())), "ok");
}

TEST_F(ConfirmationTest, NeedsACodeThatWasEntered) {
  static_cast<void>(sealed_code(vault_, kSubject, kPayment));
  EXPECT_FALSE(find(groceries()).fits(vault_.clock.now));
  EXPECT_EQ(spend(find(groceries())), "confirmation_required");
}

TEST_F(ConfirmationTest, EndsInTime) {
  verified();
  vault_.clock.now += 899'999;
  EXPECT_TRUE(find(groceries()).fits(vault_.clock.now));
  const auto confirmation = find(groceries());
  vault_.clock.now += 1;
  EXPECT_EQ(spend(confirmation), "confirmation_required");
}

TEST_F(ConfirmationTest, IsLookedAtAgainWhenAnotherCodeTookItsPlace) {
  const auto none = find(groceries());
  verified();
  EXPECT_EQ(spend(none), "conflict");
  const auto old = find(groceries());
  vault_.clock.now += 60'000;
  verified();
  EXPECT_EQ(spend(old), "conflict");
  EXPECT_EQ(spend(find(groceries())), "ok");
}

TEST_F(ConfirmationTest, IsVoidedByACancelOrANewCode) {
  verified();
  static_cast<void>(vault_.call(
      TestVault::kWeb, core::OtpCancel{base::SecretText(kSubject), std::string(kPayment)}));
  EXPECT_EQ(spend(find(groceries())), "confirmation_required");
  vault_.clock.now += 60'000;
  verified();
  vault_.clock.now += 60'000;
  static_cast<void>(sealed_code(vault_, kSubject, kPayment));
  EXPECT_EQ(spend(find(groceries())), "confirmation_required");
}

}  // namespace
}  // namespace cardvault::daemon
