#include "protocol/gate/verified_chains.h"

#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/x509.h>

#include <functional>

#include "vault/seal/openssl_owned.h"

namespace cardvault::gate {
namespace {

constexpr std::int64_t kNow = 1'795'000'000;  // 2026-11-18
constexpr std::int64_t kDay = 86'400;

using Store = std::unique_ptr<X509_STORE, seal::OpensslFree<X509_STORE_free>>;
using Check = std::unique_ptr<X509_STORE_CTX, seal::OpensslFree<X509_STORE_CTX_free>>;
using Certificate = seal::X509Ptr;
using Key = seal::PkeyPtr;

int asked = 0;  // how often X509_verify_cert() has asked about a certificate

class VerifiedChainsTest : public testing::Test {
 protected:
  VerifiedChainsTest() : authority_key_(EVP_EC_gen("P-256")), store_(X509_STORE_new()) {
    authority_ = issue("authority", kNow + 1000 * kDay, authority_key_.get());
    X509_STORE_add_cert(store_.get(), authority_.get());
    X509_STORE_set_verify_cb(store_.get(), [](int good, X509_STORE_CTX*) {
      ++asked;
      return good;
    });
  }
  Certificate issue(const char* name, std::int64_t end_s, EVP_PKEY* by) {
    const Key own(EVP_EC_gen("P-256"));
    Certificate made(X509_new());
    ASN1_INTEGER_set(X509_get_serialNumber(made.get()), ++serial_);
    ASN1_TIME_set(X509_getm_notBefore(made.get()), kNow - kDay);
    ASN1_TIME_set(X509_getm_notAfter(made.get()), end_s);
    set_name(X509_get_subject_name(made.get()), name);
    set_name(X509_get_issuer_name(made.get()), "authority");
    X509_set_pubkey(made.get(), authority_ == nullptr ? by : own.get());
    X509_sign(made.get(), by, EVP_sha256());
    return made;
  }
  static void set_name(X509_NAME* name, const char* text) {
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(text), -1, -1, 0);
  }
  // X509_V_OK, or why not. `look` sees what was verified.
  int verify(VerifiedChains& chains, const Certificate& leaf, std::int64_t now_s,
             const std::function<void(X509_STORE_CTX*)>& look = {}) {
    const Check check(X509_STORE_CTX_new());
    X509_STORE_CTX_init(check.get(), store_.get(), leaf.get(), nullptr);
    X509_STORE_CTX_set_time(check.get(), 0, now_s);
    const bool good = chains.verify(check.get(), now_s) == 1;
    const int error = X509_STORE_CTX_get_error(check.get());
    EXPECT_EQ(good, error == X509_V_OK);
    if (look) look(check.get());
    return error;
  }
  // Whether it was verified anew, and good.
  bool anew(VerifiedChains& chains, const Certificate& leaf, std::int64_t now_s) {
    const int before = asked;
    EXPECT_EQ(verify(chains, leaf, now_s), X509_V_OK);
    return asked != before;
  }

  long serial_ = 0;
  Key authority_key_;
  Certificate authority_;
  Store store_;
};

TEST_F(VerifiedChainsTest, OfOneCertificateAreVerifiedOnce) {
  VerifiedChains chains({});
  const Certificate web = issue("web", kNow + 30 * kDay, authority_key_.get());
  EXPECT_TRUE(anew(chains, web, kNow));
  EXPECT_FALSE(anew(chains, web, kNow + kDay));
  verify(chains, web, kNow + kDay, [&](X509_STORE_CTX* check) {
    const STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(check);
    ASSERT_EQ(sk_X509_num(chain), 2);
    EXPECT_EQ(X509_cmp(sk_X509_value(chain, 0), web.get()), 0);
    EXPECT_EQ(X509_cmp(sk_X509_value(chain, 1), authority_.get()), 0);
  });
  EXPECT_TRUE(anew(chains, issue("web", kNow + 30 * kDay, authority_key_.get()), kNow));
}

TEST_F(VerifiedChainsTest, OfACertificateEndWithIt) {
  VerifiedChains chains({});
  const Certificate web = issue("web", kNow + 10, authority_key_.get());
  EXPECT_TRUE(anew(chains, web, kNow));
  EXPECT_FALSE(anew(chains, web, kNow + 9));
  EXPECT_EQ(verify(chains, web, kNow + 11), X509_V_ERR_CERT_HAS_EXPIRED);
}

TEST_F(VerifiedChainsTest, OfAnAuthorityEndWithIt) {
  VerifiedChains chains({});
  const Certificate web = issue("web", kNow + 3000 * kDay, authority_key_.get());
  EXPECT_TRUE(anew(chains, web, kNow));
  EXPECT_EQ(verify(chains, web, kNow + 1001 * kDay), X509_V_ERR_CERT_HAS_EXPIRED);
}

TEST_F(VerifiedChainsTest, OfAListEndWithIt) {
  VerifiedChains chains({kNow - 5, kNow + 10, kNow + 20});
  const Certificate web = issue("web", kNow + 30 * kDay, authority_key_.get());
  EXPECT_TRUE(anew(chains, web, kNow));
  EXPECT_FALSE(anew(chains, web, kNow + 9));
  EXPECT_TRUE(anew(chains, web, kNow + 10));
  EXPECT_FALSE(anew(chains, web, kNow + 19));
  EXPECT_EQ(chains.holds_until(kNow), kNow + 10);
}

TEST_F(VerifiedChainsTest, OfTheFutureAreNotOfNow) {
  VerifiedChains chains({});
  const Certificate web = issue("web", kNow + 30 * kDay, authority_key_.get());
  EXPECT_TRUE(anew(chains, web, kNow + kDay));
  EXPECT_TRUE(anew(chains, web, kNow)) << "a clock was set back";
}

TEST_F(VerifiedChainsTest, OfAStrangerAreNeverRemembered) {
  VerifiedChains chains({});
  const Key other(EVP_EC_gen("P-256"));
  const Certificate forged = issue("web", kNow + 30 * kDay, other.get());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(verify(chains, forged, kNow), X509_V_ERR_CERT_SIGNATURE_FAILURE);
  }
}

TEST_F(VerifiedChainsTest, OfManyAreForgotten) {
  VerifiedChains chains({});
  const Certificate first = issue("web", kNow + 30 * kDay, authority_key_.get());
  EXPECT_TRUE(anew(chains, first, kNow));
  for (int i = 0; i < 256; ++i) {
    EXPECT_TRUE(anew(chains, issue("web", kNow + kDay, authority_key_.get()), kNow));
  }
  EXPECT_TRUE(anew(chains, first, kNow));
}

}  // namespace
}  // namespace cardvault::gate
