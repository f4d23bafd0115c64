#include "vault/audit/note.h"

#include <gtest/gtest.h>

#include "tests/fakes/fake_crypto.h"
#include "vault/audit/base64.h"
#include "vault/audit/checkpoint.h"

namespace cardvault::audit {
namespace {

// The example of golang.org/x/mod/sumdb/note.
constexpr const char* kPeterKey =
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const std::string kPeterText =
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n";
const std::string kPeterSignature =
    "\xE2\x80\x94 PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    "\n";
// Sigstore's log, from transparency-dev/formats: ECDSA.
constexpr const char* kRekorKey =
    "rekor.sigstore.dev+c0d23d6a+"
    "AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNhtmPtrWm3U1eQXBogSMdGvXwBcK5A"
    "W5i0hrZLOC96l+smGNM7nwZ4QvFK/4sueRoVj//QP22Ni4Qt9DPfkWLc=";
const std::string kRekorNote =
    "Rekor\n798034\nf+7CoKgXKE/tNys9TTXcr/ad6U/K3xvznmzew9y6SP0=\n\n"
    "\xE2\x80\x94 rekor.sigstore.dev "
    "wNI9ajBEAiARInWIWyCdyG27CO6LPnPekyw20qO0YJfoaPaowGp/"
    "XgIgc+qEHS3+GKVClgqq20uDLet7MCoTURUCRdxwWBHH"
    "ufk=\n";

Signed check(const std::string& note, const char* key) {
  const auto parsed = parse_note(note);
  EXPECT_TRUE(parsed);
  return signed_by(*parsed, VerifierKey::parse(key).value());
}

TEST(Base64, IsStrict) {
  for (const std::string text : {"", "f", "fo", "foo", "foob"}) {
    const std::vector<std::uint8_t> bytes(text.begin(), text.end());
    EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
  }
  EXPECT_EQ(to_base64(std::vector<std::uint8_t>{'f', 'o', 'o', 'b'}), "Zm9vYg==");
  for (const char* wrong : {"Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Z g=", "Zg==Zg==", "=Zg=",
                            "Zm-_", "====", "Z===", "Zm9v\n"}) {
    EXPECT_EQ(from_base64(wrong), std::nullopt) << wrong;
  }
}

TEST(VerifierKey, ReadsAndWritesTheKnownKeys) {
  for (const char* text :
       {kPeterKey, kRekorKey,
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"}) {
    const auto key = VerifierKey::parse(text);
    ASSERT_TRUE(key) << text;
    EXPECT_EQ(key->text(), text);
  }
}

TEST(VerifierKey, RefusesWhatIsNoKey) {
  const std::string peter = kPeterKey;
  for (const std::string& text :
       {std::string(), std::string("PeterNeumann"), peter.substr(0, peter.rfind('+')),
        "c74f20a3+" + peter.substr(peter.rfind('+') + 1),
        "Peter" + peter.substr(12),                  // another name: another id
        "PeterNeumann+c74f20a4" + peter.substr(21),  // another id
        "Peter Neumann" + peter.substr(12), peter + "A", peter + "\n", "+" + peter,
        // with an id adjusted to a wrong length and to an unknown type (x/mod's tests)
        std::string("PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY=="),
        std::string("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"),
        std::string("rekor.sigstore.dev+12345678+AwEB")}) {
    EXPECT_FALSE(VerifierKey::parse(text)) << text;
  }
}

TEST(VerifierKey, ReadsPem) {
  const std::string pem =
      "-----BEGIN PUBLIC KEY-----\n"
      "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2G2Y+2tabdTV5BcGiBIx0a9fAFwr\n"
      "kBbmLSGtks4L3qX6yYY0zufBnhC8Ur/iy55GhWP/9A/bY2LhC30M9+RYtw==\n"
      "-----END PUBLIC KEY-----\n";
  EXPECT_EQ(VerifierKey::parse_pem(pem, "rekor.sigstore.dev")->text(), kRekorKey);
  EXPECT_FALSE(VerifierKey::parse_pem(pem.substr(0, 100), "rekor.sigstore.dev"));
  EXPECT_FALSE(VerifierKey::parse_pem("", "rekor.sigstore.dev"));
}

TEST(Note, TheKnownNotesVerify) {
  EXPECT_EQ(check(kPeterText + "\n" + kPeterSignature, kPeterKey), Signed::kByKey);
  EXPECT_EQ(check(kRekorNote, kRekorKey), Signed::kByKey);
  EXPECT_EQ(
      check("This is an example message.\n\n"
            "\xE2\x80\x94 example.com/foo "
            "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu7"
            "2IneyaQM=\n",
            "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"),
      Signed::kByKey);
}

TEST(Note, AChangedTextIsForged) {
  std::string text = kPeterText;
  text[3] ^= 1;
  EXPECT_EQ(check(text + "\n" + kPeterSignature, kPeterKey), Signed::kForged);
  std::string rekor = kRekorNote;
  rekor[6] = '8';
  EXPECT_EQ(check(rekor, kRekorKey), Signed::kForged);
}

TEST(Note, OtherSignaturesAreIgnored) {
  EXPECT_EQ(check(kRekorNote, kPeterKey), Signed::kByOthers);
  const std::string other = "\xE2\x80\x94 witness.example AAAAAAAA\n";
  EXPECT_EQ(check(kPeterText + "\n" + other + kPeterSignature, kPeterKey), Signed::kByKey);
  EXPECT_EQ(check(kPeterText + "\n" + other, kPeterKey), Signed::kByOthers);
}

TEST(Note, RefusesWhatIsNone) {
  const std::string good = kPeterText + "\n" + kPeterSignature;
  ASSERT_TRUE(parse_note(good));
  for (const std::string& bytes :
       {std::string(), std::string("\n"), kPeterText, kPeterText + "\n",
        good.substr(0, good.size() - 1), good + "x\n", good + "\n", kPeterText + kPeterSignature,
        kPeterText + "\n" + kPeterSignature.substr(1), std::string("\r") + good,
        kPeterText + "\n\xE2\x80\x94 PeterNeumann AAAA\n",
        kPeterText + "\n\xE2\x80\x94 Peter+Neumann AAAAAAAA\n",
        kPeterText + "\n\xE2\x80\x94 PeterNeumann AAAAAAA\n"}) {
    EXPECT_FALSE(parse_note(bytes)) << bytes;
  }
}

class Checkpoints : public testing::TestWithParam<bool> {
 protected:
  static constexpr core::KeyRef kRef{core::KeyPurpose::kAuditSign, 1};
  // The fake's seal-sign is on P-256: the other kind of key.
  const core::KeyRef ref = GetParam() ? kRef : core::KeyRef{core::KeyPurpose::kSealSign, 1};
  fakes::FakeCrypto crypto;
  const VerifierKey key{"vault.example/log", crypto.public_key(ref).value()};
  const Sign sign = [this](std::string_view text) {
    return crypto.sign(ref, base::as_bytes(text));
  };
};

TEST_P(Checkpoints, AreSignedAndOpened) {
  const Checkpoint made{"vault.example/log", 4711, leaf_hash("x")};
  const std::string note = sign_checkpoint(made, key, sign).value();
  const auto opened = open_checkpoint(note, key);
  EXPECT_EQ(opened.trust, Trust::kGood);
  EXPECT_EQ(opened.checkpoint.origin, made.origin);
  EXPECT_EQ(opened.checkpoint.size, made.size);
  EXPECT_EQ(opened.checkpoint.root, made.root);
  EXPECT_EQ(open_checkpoint(note, VerifierKey::parse(key.text()).value()).trust, Trust::kGood);
}

TEST_P(Checkpoints, SayWhatIsWrongWithThem) {
  const Checkpoint made{"vault.example/log", 4711, leaf_hash("x")};
  const std::string note = sign_checkpoint(made, key, sign).value();
  std::string text = note;
  text[text.find("4711")] = '5';
  EXPECT_EQ(open_checkpoint(text, key).trust, Trust::kForged);
  fakes::FakeCrypto others;
  const VerifierKey another("vault.example/log", others.public_key(ref).value());
  EXPECT_EQ(open_checkpoint(note, another).trust, Trust::kOtherKey);
  const VerifierKey elsewhere("elsewhere.example", others.public_key(ref).value());
  EXPECT_EQ(open_checkpoint(note, elsewhere).trust, Trust::kOtherLog);
  // By this key, but about a log of another name.
  const std::string foreign =
      sign_checkpoint({"vault.example/old", 1, leaf_hash("x")}, key, sign).value();
  EXPECT_EQ(open_checkpoint(foreign, key).trust, Trust::kOtherLog);
  for (std::size_t cut = 0; cut < note.size(); ++cut) {
    EXPECT_EQ(open_checkpoint(note.substr(0, cut), key).trust, Trust::kMalformed) << cut;
  }
}

INSTANTIATE_TEST_SUITE_P(Keys, Checkpoints, testing::Bool(),
                         [](const auto& one) { return one.param ? "AuditSign" : "P256"; });

TEST(Checkpoint, RefusesOtherSpellings) {
  const std::string root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
  EXPECT_EQ(parse_checkpoint_text("a/b\n20852163\n" + root + "\n")->size, 20852163U);
  EXPECT_EQ(parse_checkpoint_text("a/b\n0\n" + root + "\nextension\n")->size, 0U);
  for (const std::string& text :
       {"\n1\n" + root + "\n", "a\n01\n" + root + "\n", "a\n-1\n" + root + "\n",
        "a\n+1\n" + root + "\n", "a\n1 \n" + root + "\n", "a\n\n" + root + "\n",
        "a\n18446744073709551616\n" + root + "\n", "a\n1\n" + root, std::string("a\n1\nAAAA\n"),
        std::string("a\n1\n")}) {
    EXPECT_FALSE(parse_checkpoint_text(text)) << text;
  }
}

TEST(Checkpoint, ALabelMakesAnOrigin) {
  EXPECT_EQ(default_origin("cardvault"), "cardvault.local/cardvault");
  EXPECT_EQ(default_origin("card vault+1"), "cardvault.local/card-vault-1");
  EXPECT_TRUE(valid_key_name(default_origin("\xD0\xB0")));
}

}  // namespace
}  // namespace cardvault::audit
