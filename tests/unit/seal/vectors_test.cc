// The examples of the standards.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "vault/seal/base64url.h"
#include "vault/seal/concat_kdf.h"
#include "vault/seal/openssl_owned.h"
#include "vault/seal/public_jwk.h"

namespace cardvault::seal {
namespace {

std::vector<std::uint8_t> decode(std::string text) {
  for (char& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c;
  const std::size_t padding = (4 - text.size() % 4) % 4;
  text.append(padding, '=');
  std::vector<std::uint8_t> out(text.size());
  const int size = EVP_DecodeBlock(out.data(), base::as_bytes(text).data(), int(text.size()));
  out.resize(static_cast<std::size_t>(size) - padding);
  return out;
}

TEST(Base64url, EncodesTheExamplesOfRfc4648WithoutPadding) {
  const std::array<std::pair<const char*, const char*>, 7> cases = {{{"", ""},
                                                                     {"f", "Zg"},
                                                                     {"fo", "Zm8"},
                                                                     {"foo", "Zm9v"},
                                                                     {"foob", "Zm9vYg"},
                                                                     {"fooba", "Zm9vYmE"},
                                                                     {"foobar", "Zm9vYmFy"}}};
  for (const auto& [in, want] : cases) EXPECT_EQ(base64url(base::as_bytes(in)), want);
}

TEST(Base64url, UsesTheAlphabetOfAddresses) {
  // RFC 7515 appendix C.
  const std::array<std::uint8_t, 5> bytes = {3, 236, 255, 224, 193};
  EXPECT_EQ(base64url(bytes), "A-z_4ME");
}

TEST(Base64url, AppendsBehindWhatIsThere) {
  base::SecretBuffer out{'a', '='};
  append_base64url(out, base::as_bytes("f"));
  EXPECT_EQ(base::as_text(out), "a=Zg");
}

TEST(ConcatKdf, DerivesTheKeyOfRfc7518AppendixC) {
  const std::array<std::uint8_t, 32> z = {158, 86,  217, 29,  129, 113, 53,  211, 114, 131, 66,
                                          131, 191, 132, 38,  156, 251, 49,  110, 163, 218, 128,
                                          106, 72,  246, 218, 167, 121, 140, 254, 144, 196};
  const auto key = concat_kdf(z, "A128GCM", base::as_bytes("Alice"), base::as_bytes("Bob"), 128);
  ASSERT_TRUE(key);
  EXPECT_THAT(*key, testing::ElementsAre(86, 170, 141, 234, 248, 35, 109, 32, 92, 34, 40, 205, 113,
                                         167, 16, 26));
}

TEST(ConcatKdf, BindsAlgorithmPartiesAndLength) {
  const std::array<std::uint8_t, 32> z{};
  const auto one = concat_kdf(z, "A256GCM", {}, {}, 256);
  EXPECT_EQ(one->size(), 32U);
  EXPECT_NE(*one, *concat_kdf(z, "A256CBC", {}, {}, 256));
  EXPECT_NE(*one, *concat_kdf(z, "A256GCM", base::as_bytes("a"), {}, 256));
  EXPECT_NE(*one, *concat_kdf(z, "A256GCM", {}, base::as_bytes("a"), 256));
  const auto half = concat_kdf(z, "A256GCM", {}, {}, 128);
  EXPECT_FALSE(std::equal(half->begin(), half->end(), one->begin()));
}

TEST(PublicJwk, ThumbprintIsThatOfRfc7638) {
  const auto n = decode(
      "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_"
      "BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_"
      "FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-"
      "bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw");
  const auto e = decode("AQAB");
  EXPECT_EQ(jwk_thumbprint(rsa_jwk(n, e)), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

TEST(PublicJwk, CoordinatesKeepTheirFullLength) {
  // One key in 128 or so has a coordinate with a leading zero.
  for (int i = 0; i < 400; ++i) {
    const PkeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
    const std::string jwk = *public_jwk(key.get());
    ASSERT_EQ(jwk.size(), std::string(R"({"crv":"P-256","kty":"EC","x":"","y":""})").size() + 86);
  }
}

TEST(PublicJwk, RefusesACurveNothingIsSealedTo) {
  const PkeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-521"));
  EXPECT_FALSE(public_jwk(key.get()));
}

}  // namespace
}  // namespace cardvault::seal
