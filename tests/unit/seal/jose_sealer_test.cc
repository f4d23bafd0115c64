#include "vault/seal/jose_sealer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>

#include <string>
#include <thread>
#include <vector>

#include "tests/fakes/fake_crypto.h"
#include "tests/unit/seal/test_certificate.h"
#include "vault/seal/base64url.h"
#include "vault/seal/public_jwk.h"

namespace cardvault::seal {
namespace {

using base::Code;
using core::KeyPurpose;
using testing::HasSubstr;
using SignaturePtr = std::unique_ptr<ECDSA_SIG, OpensslFree<ECDSA_SIG_free>>;

std::string decoded(std::string text) {
  for (char& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c;
  const std::size_t padding = (4 - text.size() % 4) % 4;
  text.append(padding, '=');
  std::string out(text.size(), '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   base::as_bytes(text).data(), int(text.size()));
  out.resize(static_cast<std::size_t>(size) - padding);
  return out;
}

std::vector<std::string> parts_of(const std::string& token) {
  std::vector<std::string> out(1);
  for (const char c : token) {
    if (c == '.') {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  return out;
}

base::SecretBuffer bytes(std::string_view text) { return {text.begin(), text.end()}; }

bool signed_by(const core::SigningPublicKey& key, std::string_view input, std::string_view raw) {
  const PkeyCtxPtr making(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY_fromdata_init(making.get());
  std::string group = "P-256";
  auto point = key.point;
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group.data(), group.size()),
      OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()), OSSL_PARAM_END};
  EVP_PKEY* made = nullptr;
  EVP_PKEY_fromdata(making.get(), &made, EVP_PKEY_PUBLIC_KEY, const_cast<OSSL_PARAM*>(parameters));
  const PkeyPtr owned(made);
  const SignaturePtr signature(ECDSA_SIG_new());
  const auto* at = base::as_bytes(raw).data();
  ECDSA_SIG_set0(signature.get(), BN_bin2bn(at, 32, nullptr), BN_bin2bn(at + 32, 32, nullptr));
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  const DigestCtxPtr context(EVP_MD_CTX_new());
  EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, owned.get());
  const int verified = EVP_DigestVerify(context.get(), der, std::size_t(size),
                                        base::as_bytes(input).data(), input.size());
  OPENSSL_free(der);
  return verified == 1;
}

class JoseSealerTest : public testing::Test {
 protected:
  JoseSealerTest() { keys.set({KeyPurpose::kSealSign, 1}); }

  core::Recipient recipient(const TestCertificate& certificate) {
    core::Recipient out;
    out.name = "gateway";
    out.certificate = certificate.registered();
    return out;
  }

  fakes::FakeCrypto crypto;
  core::ActiveKeys keys;
  JoseSealer sealer{crypto, keys};
};

TEST_F(JoseSealerTest, SignsLikeRfc7515AppendixA3) {
  const auto token = sealer.sign("cardvault-receipt+jwt", bytes(R"({"iss":"vault"})"));
  ASSERT_TRUE(token);
  const auto parts = parts_of(*token);
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(decoded(parts[1]), R"({"iss":"vault"})");
  const std::string raw = decoded(parts[2]);
  ASSERT_EQ(raw.size(), 64U);
  const auto key = *crypto.public_key({KeyPurpose::kSealSign, 1});
  EXPECT_TRUE(signed_by(key, parts[0] + "." + parts[1], raw));
  EXPECT_FALSE(signed_by(key, parts[0] + "." + parts[1] + "x", raw));
  const std::string kid = jwk_thumbprint(
      ec_jwk("P-256", std::span(key.point).subspan(1, 32), std::span(key.point).subspan(33, 32)));
  EXPECT_EQ(decoded(parts[0]),
            R"({"alg":"ES256","kid":")" + kid + R"(","typ":"cardvault-receipt+jwt"})");
  EXPECT_THAT(*sealer.jwks(), HasSubstr(R"("kid":")" + kid + '"'));
}

TEST_F(JoseSealerTest, SaysToWhomAndHowItSealed) {
  const struct {
    const char* key;
    const char* algorithm;
    std::size_t encrypted_key;
  } cases[] = {{"P-256", R"("alg":"ECDH-ES","enc":"A256GCM")", 0},
               {"P-384", R"("epk":{"crv":"P-384","kty":"EC")", 0},
               {"RSA 3072", R"("alg":"RSA-OAEP-256","enc":"A256GCM")", 384}};
  for (const auto& c : cases) {
    const auto certificate = make_certificate({.key = c.key});
    const auto sealed =
        sealer.seal(recipient(certificate), "cardvault-otp+jwt", bytes(R"({"code":"1"})"), kNow);
    ASSERT_TRUE(sealed) << c.key;
    const auto parts = parts_of(*sealed);
    ASSERT_EQ(parts.size(), 5U);
    const std::string header = decoded(parts[0]);
    EXPECT_THAT(header, HasSubstr(c.algorithm));
    EXPECT_THAT(header, HasSubstr(R"("typ":"cardvault-otp+jwt","cty":"JWT")"));
    EXPECT_THAT(header,
                HasSubstr(R"("kid":")" + jwk_thumbprint(*public_jwk(certificate.key.get())) + '"'));
    EXPECT_EQ(decoded(parts[1]).size(), c.encrypted_key);
    EXPECT_EQ(decoded(parts[2]).size(), 12U);
    EXPECT_EQ(decoded(parts[4]).size(), 16U);
  }
}

TEST_F(JoseSealerTest, NoTwoMessagesShareAKey) {
  const auto to = recipient(make_certificate({}));
  const auto one = parts_of(*sealer.seal(to, "t", bytes("{}"), kNow));
  const auto two = parts_of(*sealer.seal(to, "t", bytes("{}"), kNow));
  EXPECT_NE(one[0], two[0]);  // the ephemeral key
  EXPECT_NE(one[2], two[2]);
}

TEST_F(JoseSealerTest, RefusesACertificateOutsideItsTime) {
  const CertificatePlan plan;
  const auto to = recipient(make_certificate(plan));
  for (const std::int64_t now : {plan.not_before_ms - 1, plan.not_after_ms + 1}) {
    const auto sealed = sealer.seal(to, "t", bytes("{}"), now);
    ASSERT_FALSE(sealed);
    EXPECT_EQ(sealed.error().code, Code::kRecipientExpired);
  }
  EXPECT_EQ(crypto.calls(), 0U);  // nothing was signed
  EXPECT_TRUE(sealer.seal(to, "t", bytes("{}"), plan.not_after_ms));
}

TEST_F(JoseSealerTest, SealsToTheNextCertificateFromItsTimeOn) {
  const auto old_one = make_certificate({});
  const auto new_one = make_certificate({});
  auto to = recipient(old_one);
  to.next = new_one.registered();
  to.next_from_ms = kNow;
  const std::string old_kid = jwk_thumbprint(*public_jwk(old_one.key.get()));
  const std::string new_kid = jwk_thumbprint(*public_jwk(new_one.key.get()));
  EXPECT_THAT(decoded(parts_of(*sealer.seal(to, "t", bytes("{}"), kNow - 1))[0]),
              HasSubstr(old_kid));
  EXPECT_THAT(decoded(parts_of(*sealer.seal(to, "t", bytes("{}"), kNow))[0]), HasSubstr(new_kid));
}

TEST_F(JoseSealerTest, PublishesEarlierKeysBehindTheActiveOne) {
  const std::string first = *sealer.jwks();
  crypto.add_key({KeyPurpose::kSealSign, 2});
  crypto.add_key({KeyPurpose::kSealSign, 3});
  crypto.remove_key({KeyPurpose::kSealSign, 2});
  keys.set({KeyPurpose::kSealSign, 3});
  const std::string set = *sealer.jwks();
  const std::string only = first.substr(9, first.size() - 11);  // inside {"keys":[…]}
  EXPECT_THAT(set, testing::EndsWith("," + only + "]}"));
  EXPECT_EQ(std::ranges::count(set, '{'), 3);
  EXPECT_THAT(first, testing::StartsWith(R"({"keys":[{"alg":"ES256","kid":")"));
  EXPECT_THAT(first, HasSubstr(R"("use":"sig","crv":"P-256","kty":"EC","x":")"));
}

TEST_F(JoseSealerTest, AnOutageOfTheHsmIsSaid) {
  crypto.set_down(true);
  EXPECT_EQ(sealer.sign("t", bytes("{}")).error().code, Code::kHsmUnavailable);
  EXPECT_EQ(sealer.seal(recipient(make_certificate({})), "t", bytes("{}"), kNow).error().code,
            Code::kHsmUnavailable);
  keys.set({KeyPurpose::kSealSign, 9});
  EXPECT_EQ(sealer.jwks().error().code, Code::kKeyMissing);
}

TEST_F(JoseSealerTest, ADamagedCertificateSealsNothing) {
  auto to = recipient(make_certificate({}));
  to.certificate.der.resize(40);
  EXPECT_EQ(sealer.seal(to, "t", bytes("{}"), kNow).error().code, Code::kInternal);
}

TEST_F(JoseSealerTest, ManyThreadsSealToManyRecipients) {
  std::vector<core::Recipient> all;
  for (int i = 0; i < 300; ++i) all.push_back(recipient(make_certificate({})));  // over the bound
  std::atomic<int> failed = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (const auto& to : all) failed += sealer.seal(to, "t", bytes("{}"), kNow) ? 0 : 1;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
}

}  // namespace
}  // namespace cardvault::seal
