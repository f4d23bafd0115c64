// What the clients' CA issues, read and verified by OpenSSL.
#include "vault/pki/issue.h"

#include <gtest/gtest.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "tests/fakes/fake_crypto.h"

namespace cardvault::pki {
namespace {

constexpr std::int64_t kNow = 1'795'000'000'000;  // 2026-11-18
constexpr std::int64_t kDay = 86'400'000;
constexpr core::KeyRef kCa{core::KeyPurpose::kClientCa, 1};
using seal::X509Ptr;

class Issue : public testing::Test {
 protected:
  Issue() {
    ca_.public_key = *crypto_.public_key(kCa);
    ca_.sign = [this](std::span<const std::uint8_t> data) { return crypto_.sign(kCa, data); };
    ca_der_ = *make_ca_certificate(ca_, "test client CA 1", Serial{0x41},
                                   {kNow - kDay, kNow + 1000 * kDay});
    const seal::PkeyPtr key(EVP_EC_gen("P-256"));
    unsigned char* der = nullptr;
    const int size = i2d_PUBKEY(key.get(), &der);
    wanted_ = {"web",
               "uri:urn:cardvault:client:web",
               {0x42, 1, 2},
               {kNow, kNow + 30 * kDay},
               Der(der, der + size)};
    OPENSSL_free(der);
  }
  static X509Ptr read(const Der& der) {
    const unsigned char* at = der.data();
    return X509Ptr(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  }
  // What verifying the certificate as a client's says at a time; X509_V_OK when it is good.
  int verify(const Der& der, const Der* crl, std::int64_t when_ms) const {
    const std::unique_ptr<X509_STORE, seal::OpensslFree<X509_STORE_free>> store(X509_STORE_new());
    const std::unique_ptr<X509_STORE_CTX, seal::OpensslFree<X509_STORE_CTX_free>> check(
        X509_STORE_CTX_new());
    const X509Ptr anchor = read(ca_der_);
    const X509Ptr leaf = read(der);
    X509_STORE_add_cert(store.get(), anchor.get());
    if (crl != nullptr) {
      const unsigned char* at = crl->data();
      const CrlPtr list(d2i_X509_CRL(nullptr, &at, static_cast<long>(crl->size())));
      X509_STORE_add_crl(store.get(), list.get());
      X509_STORE_set_flags(store.get(), X509_V_FLAG_CRL_CHECK | X509_V_FLAG_X509_STRICT);
    }
    X509_STORE_CTX_init(check.get(), store.get(), leaf.get(), nullptr);
    X509_STORE_CTX_set_default(check.get(), "ssl_client");
    X509_STORE_CTX_set_time(check.get(), 0, static_cast<std::time_t>(when_ms / 1000));
    X509_verify_cert(check.get());
    return X509_STORE_CTX_get_error(check.get());
  }

  fakes::FakeCrypto crypto_;
  CaKey ca_;
  Der ca_der_;
  ClientCertificate wanted_;
};

TEST_F(Issue, ClientCertificateHoldsUntilItsEnd) {
  const auto der = make_client_certificate(ca_, ca_der_, wanted_);
  ASSERT_TRUE(der);
  EXPECT_EQ(verify(*der, nullptr, kNow + kDay), X509_V_OK);
  EXPECT_EQ(verify(*der, nullptr, kNow + 31 * kDay), X509_V_ERR_CERT_HAS_EXPIRED);
  EXPECT_EQ(verify(*der, nullptr, kNow - kDay / 2), X509_V_ERR_CERT_NOT_YET_VALID);
  EXPECT_EQ(end_of_certificate_ms(*der), kNow + 30 * kDay);
}

TEST_F(Issue, IssuesNoFurtherCa) {
  const auto der = make_client_certificate(ca_, ca_der_, wanted_);
  ASSERT_TRUE(der);
  const X509Ptr leaf = read(*der);
  EXPECT_EQ(X509_check_ca(leaf.get()), 0);
  EXPECT_EQ(X509_get_extension_flags(leaf.get()) & EXFLAG_INVALID, 0U);
  EXPECT_EQ(X509_get_key_usage(leaf.get()), static_cast<std::uint32_t>(KU_DIGITAL_SIGNATURE));
  EXPECT_EQ(X509_get_extended_key_usage(leaf.get()), static_cast<std::uint32_t>(XKU_SSL_CLIENT));
  const X509Ptr anchor = read(ca_der_);
  EXPECT_EQ(X509_check_ca(anchor.get()), 1);
  EXPECT_EQ(X509_get_pathlen(anchor.get()), 0);
}

TEST_F(Issue, RevocationListNamesTheRevokedAndNoOther) {
  const auto revoked = make_client_certificate(ca_, ca_der_, wanted_);
  wanted_.serial = {0x43, 9};
  const auto good = make_client_certificate(ca_, ca_der_, wanted_);
  const auto list =
      make_revocation_list(ca_, ca_der_, {7, kNow, kNow + 7 * kDay, {{Serial{0x42, 1, 2}, kNow}}});
  ASSERT_TRUE(revoked && good && list);
  EXPECT_EQ(verify(*revoked, &*list, kNow + kDay), X509_V_ERR_CERT_REVOKED);
  EXPECT_EQ(verify(*good, &*list, kNow + kDay), X509_V_OK);
  EXPECT_EQ(verify(*good, &*list, kNow + 8 * kDay), X509_V_ERR_CRL_HAS_EXPIRED);
}

TEST_F(Issue, ASignatureThatIsNotTheKeysNeverLeaves) {
  crypto_.add_key({core::KeyPurpose::kClientCa, 2});
  ca_.sign = [this](std::span<const std::uint8_t> data) {
    return crypto_.sign({core::KeyPurpose::kClientCa, 2}, data);
  };
  const auto der = make_client_certificate(ca_, ca_der_, wanted_);
  ASSERT_FALSE(der);
  EXPECT_EQ(der.error().code, base::Code::kInternal);
}

TEST_F(Issue, AKeyThatDoesNotAnswerIsPassedOn) {
  ca_.sign = [](std::span<const std::uint8_t>) -> base::Result<std::vector<std::uint8_t>> {
    return base::fail(base::Code::kHsmUnavailable, "away");
  };
  const auto list = make_revocation_list(ca_, ca_der_, {1, kNow, kNow + kDay, {}});
  ASSERT_FALSE(list);
  EXPECT_EQ(list.error().code, base::Code::kHsmUnavailable);
}

TEST(DrawSerial, TakesNoneThatReadsAsACardNumber) {
  Serial good, bad;
  good.fill(0xab);
  bad = good;
  std::fill_n(bad.begin(), 8, 0x11);
  bad[0] = 0xc1;  // 4111 1111 1111 1111, once it is positive and of one length
  std::vector<Serial> drawn = {good, bad};
  const auto serial = draw_serial([&](std::span<std::uint8_t> out) -> base::Result<void> {
    std::ranges::copy(drawn.back(), out.begin());
    drawn.pop_back();
    return {};
  });
  good[0] = 0x6b;
  EXPECT_EQ(*serial, good);
}

TEST(DrawSerial, PassesOnThatThereIsNoRandomness) {
  const auto serial = draw_serial([](std::span<std::uint8_t>) -> base::Result<void> {
    return base::fail(base::Code::kHsmUnavailable, "away");
  });
  EXPECT_EQ(serial.error().code, base::Code::kHsmUnavailable);
}

TEST_F(Issue, NamesOfOtherFormsAreRefused) {
  for (const char* san : {"", "web", "email:a@b.kz", "dirName:x"}) {
    wanted_.san = san;
    EXPECT_FALSE(make_client_certificate(ca_, ca_der_, wanted_)) << san;
  }
  // Nothing in a name is OpenSSL's notation.
  wanted_.san = "dns:a.example,URI:urn:cardvault:client:other";
  const auto der = make_client_certificate(ca_, ca_der_, wanted_);
  ASSERT_TRUE(der);
  const X509Ptr leaf = read(*der);
  EXPECT_EQ(X509_check_host(leaf.get(), "a.example", 0, 0, nullptr), 0);
}

}  // namespace
}  // namespace cardvault::pki
