#include "vault/seal/recipient_certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/seal/test_certificate.h"

namespace cardvault::seal {
namespace {

using testing::HasSubstr;

const TestCertificate& ca() {
  static const TestCertificate made =
      make_certificate({.name = "ca", .key_usage = "critical,keyCertSign,cRLSign", .ca = true});
  return made;
}
CertificateTrust by_ca() { return {ca().pem, ""}; }

std::string refusal(const CertificatePlan& plan) {
  const auto checked =
      check_recipient_certificate(make_certificate(plan, &ca()).pem, by_ca(), kNow);
  return checked ? "" : checked.error();
}

TEST(RecipientCertificate, TakesEachKindOfKeyThatIsSealedTo) {
  const struct {
    const char* key;
    const char* usage;
    RecipientKey kind;
    unsigned bits;
  } cases[] = {{"P-256", "", RecipientKey::kP256, 256},
               {"P-384", "critical,keyAgreement", RecipientKey::kP384, 384},
               {"RSA 3072", "critical,digitalSignature,keyEncipherment", RecipientKey::kRsa, 3072}};
  for (const auto& c : cases) {
    const CertificatePlan plan{.key = c.key, .key_usage = c.usage};
    const auto made = make_certificate(plan, &ca());
    const auto checked = check_recipient_certificate(made.pem, by_ca(), kNow);
    ASSERT_TRUE(checked) << c.key << ": " << checked.error();
    EXPECT_EQ(checked->certificate.der, made.der);
    EXPECT_EQ(checked->certificate.not_before_ms, plan.not_before_ms);
    EXPECT_EQ(checked->certificate.not_after_ms, plan.not_after_ms);
    EXPECT_EQ(checked->facts.key, c.kind);
    EXPECT_EQ(checked->facts.key_bits, c.bits);
    EXPECT_EQ(checked->facts.subject, "CN=gateway");
    EXPECT_EQ(certificate_facts(made.der)->spki_sha256, checked->facts.spki_sha256);
  }
}

TEST(RecipientCertificate, TakesDer) {
  const auto made = make_certificate({}, &ca());
  const std::string der(made.der.begin(), made.der.end());
  EXPECT_TRUE(check_recipient_certificate(der, by_ca(), kNow));
  EXPECT_FALSE(check_recipient_certificate(der + "x", by_ca(), kNow));
  EXPECT_FALSE(check_recipient_certificate(der.substr(0, 100), by_ca(), kNow));
}

TEST(RecipientCertificate, APinVouchesAlone) {
  const auto made = make_certificate({});
  const std::string pin = certificate_facts(made.der)->spki_sha256;
  EXPECT_EQ(pin.size(), 64U);
  EXPECT_TRUE(check_recipient_certificate(made.pem, {"", pin}, kNow));
  const auto other = check_recipient_certificate(make_certificate({}).pem, {"", pin}, kNow);
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error(), HasSubstr("pin"));
}

TEST(RecipientCertificate, PinAndChainMustBothHold) {
  const auto made = make_certificate({});
  const std::string pin = certificate_facts(made.der)->spki_sha256;
  EXPECT_FALSE(check_recipient_certificate(made.pem, {ca().pem, pin}, kNow));
  EXPECT_TRUE(check_recipient_certificate(make_certificate({}, &ca()).pem, by_ca(), kNow));
}

TEST(RecipientCertificate, NeedsSomeoneToVouch) {
  const auto checked = check_recipient_certificate(make_certificate({}).pem, {}, kNow);
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error(), HasSubstr("nothing vouches"));
}

TEST(RecipientCertificate, ChainsOverIntermediatesBehindIt) {
  const auto middle = make_certificate({.name = "middle", .ca = true}, &ca());
  const auto leaf = make_certificate({}, &middle);
  EXPECT_FALSE(check_recipient_certificate(leaf.pem, by_ca(), kNow));
  EXPECT_TRUE(check_recipient_certificate(leaf.pem + middle.pem, by_ca(), kNow));
  EXPECT_TRUE(check_recipient_certificate(leaf.pem, {middle.pem, ""}, kNow));
}

TEST(RecipientCertificate, SaysWhatIsWrongAndWhatToDo) {
  const struct {
    const char* name;
    CertificatePlan plan;
    const char* words;
  } cases[] = {
      {"expired", {.not_before_ms = kNow - 9 * kDay, .not_after_ms = kNow - 1000}, "ended on 2026"},
      {"not yet valid", {.not_before_ms = kNow + 1000}, "not valid before 2026-11-22"},
      {"short RSA", {.key = "RSA 2048"}, "2048 bits: 3072"},
      {"other curve", {.key = "P-521"}, "P-256 or P-384"},
      {"signature key", {.key = "ED25519"}, "P-256 or P-384"},
      {"EC that only signs", {.key_usage = "digitalSignature"}, "does not allow keyAgreement"},
      {"RSA that only signs",
       {.key = "RSA 3072", .key_usage = "digitalSignature"},
       "does not allow keyEncipherment"},
  };
  for (const auto& c : cases) EXPECT_THAT(refusal(c.plan), HasSubstr(c.words)) << c.name;
}

TEST(RecipientCertificate, RefusesAnotherCasSignature) {
  const auto other = make_certificate({.name = "ca", .ca = true});  // the same name
  const auto checked = check_recipient_certificate(make_certificate({}, &other).pem, by_ca(), kNow);
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error(), HasSubstr("does not chain to the CA given"));
}

TEST(RecipientCertificate, RefusesAnIssuerThatIsNoCa) {
  const auto leaf = make_certificate({.name = "leaf"}, &ca());
  const auto under_leaf = make_certificate({}, &leaf);
  EXPECT_FALSE(check_recipient_certificate(under_leaf.pem + leaf.pem, by_ca(), kNow));
}

TEST(RecipientCertificate, RefusesWhatIsNone) {
  const std::string pem = make_certificate({}, &ca()).pem;
  for (const std::string& text : {std::string(), std::string("no certificate"), std::string("0"),
                                  pem.substr(0, pem.size() / 2), std::string(300'000, '0')}) {
    const auto checked = check_recipient_certificate(text, by_ca(), kNow);
    ASSERT_FALSE(checked);
    EXPECT_THAT(checked.error(), HasSubstr("no certificate in it"));
  }
  EXPECT_THAT(check_recipient_certificate(pem, {"junk", ""}, kNow).error(), HasSubstr("CA file"));
}

}  // namespace
}  // namespace cardvault::seal
