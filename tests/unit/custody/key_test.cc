#include <gtest/gtest.h>
#include <sys/stat.h>

#include "provisioning/custody/envelope.h"
#include "provisioning/custody/key_file.h"
#include "provisioning/custody/share_file.h"
#include "tests/unit/custody/custody_fixture.h"
#include "vault/custody/medium.h"

namespace cardvault::custody {
namespace {

using testing::refusal;
using testing::TempDir;
using testing::TestKey;

const base::SecretText& passphrase() {
  static const base::SecretText text("correct horse battery");
  return text;
}

TEST(KeyFile, SignsAfterItsPassphraseAndNotAfterAnother) {
  const TempDir dir;
  const auto made = create_key_file(dir / "anna.key", passphrase());
  struct stat status{};
  ASSERT_EQ(::stat((dir / "anna.key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  auto key = open_custodian_key(dir / "anna.key", passphrase());
  ASSERT_TRUE(key);
  EXPECT_EQ((*key)->public_key().point, made.point);
  const auto signature = (*key)->sign("a text");
  ASSERT_TRUE(signature);
  EXPECT_TRUE(verify(made, "a text", *signature));
  EXPECT_FALSE(verify(made, "a texT", *signature));

  const auto wrong =
      open_custodian_key(dir / "anna.key", base::SecretText("correct horse batterY"));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, base::Code::kHsmPinRefused);
}

TEST(KeyFile, IsStandardAndSlowToGuess) {
  const TempDir dir;
  static_cast<void>(create_key_file(dir / "k", passphrase()));
  const std::string command = "openssl asn1parse -in " + (dir / "k") + " | grep -c -e scrypt -e " +
                              "aes-256-cbc > " + (dir / "out") +
                              " && openssl pkey -noout -passin pass:'correct horse battery' -in " +
                              (dir / "k");
  EXPECT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(testing::slurp(dir / "out"), "2\n");
}

TEST(KeyFile, IsNeverOverwritten) {
  const TempDir dir;
  testing::spill(dir / "k", "mine");
  EXPECT_NE(refusal([&] {
              static_cast<void>(create_key_file(dir / "k", passphrase()));
            }).find("never overwritten"),
            std::string::npos);
  EXPECT_EQ(testing::slurp(dir / "k"), "mine");
}

TEST(KeyFile, RefusesWhatIsNone) {
  const TempDir dir;
  testing::spill(dir / "text", "hello\n");
  testing::spill(dir / "empty",
                 "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                 "-----END ENCRYPTED PRIVATE KEY-----\n");
  testing::spill(dir / "noise",
                 "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n"
                 "-----END ENCRYPTED PRIVATE KEY-----\n");
  for (const char* name : {"text", "empty", "noise", "absent"}) {
    EXPECT_FALSE(
        refusal([&] { static_cast<void>(open_custodian_key(dir / name, passphrase())); }).empty())
        << name;
  }
}

TEST(PublicKey, HasOneText) {
  const TestKey key;
  const std::string text = public_key_text(key.key());
  EXPECT_EQ(text.size(), 5U + 66U);
  ASSERT_TRUE(parse_public_key(text));
  EXPECT_EQ(parse_public_key(text)->point, key.key().point);
  EXPECT_TRUE(parse_public_key("ed25519:" + std::string(64, 'a')));
  for (const std::string& bad :
       {text.substr(1), text + "0", "p256:04" + text.substr(7), std::string("p256:"), std::string(),
        "P256:" + text.substr(5), "ed25519:" + std::string(62, 'a')}) {
    EXPECT_FALSE(parse_public_key(bad)) << bad;
  }
  std::string off_curve = "p256:02" + std::string(64, 'f');
  EXPECT_FALSE(parse_public_key(off_curve));
}

TEST(Envelope, OpensForItsKeyOnlyAndUnchanged) {
  const TestKey anna;
  const TestKey bolat;
  const std::string content = "a share";
  const auto sealed = seal_envelope(anna.key(), base::as_bytes(content));
  ASSERT_TRUE(sealed);
  const auto opened = open_envelope(anna.pkey.get(), *sealed);
  ASSERT_TRUE(opened);
  EXPECT_EQ(base::as_text(*opened), content);
  EXPECT_FALSE(open_envelope(bolat.pkey.get(), *sealed));
  EXPECT_NE(*seal_envelope(anna.key(), base::as_bytes(content)), *sealed);
  for (std::size_t i = 0; i < sealed->size(); ++i) {
    std::string changed = *sealed;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(open_envelope(anna.pkey.get(), changed)) << i;
    EXPECT_FALSE(open_envelope(anna.pkey.get(), sealed->substr(0, i)));
  }
}

TEST(ShareFile, IsItsCustodiansAlone) {
  const TempDir dir;
  const auto anna = create_key_file(dir / "anna.key", passphrase());
  const auto shares = split_secret(testing::secret_of(5), testing::label_of(SecretName::kUserPin));
  const auto text = seal_share(shares[1], {"anna", anna});
  ASSERT_TRUE(text);
  const ShareFile file = parse_share_file("f", *text);
  EXPECT_EQ(file.label, shares[1].label);
  EXPECT_EQ(file.custodian, "anna");
  auto key = open_custodian_key(dir / "anna.key", passphrase());
  const auto opened = open_share(file, **key);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->value, shares[1].value);

  static_cast<void>(create_key_file(dir / "other.key", passphrase()));
  auto other = open_custodian_key(dir / "other.key", passphrase());
  EXPECT_FALSE(open_share(file, **other));
  ShareFile relabelled = file;
  relabelled.label.index = 3;
  EXPECT_FALSE(open_share(relabelled, **key));
  EXPECT_NE(refusal([&] { static_cast<void>(parse_share_file("f", text->substr(0, 100))); }), "");
}

TEST(Medium, NeverOverwritesAndLeavesNothingHalf) {
  const TempDir dir;
  EXPECT_EQ(write_new_file(dir / "a", "text"), 0);
  EXPECT_EQ(testing::slurp(dir / "a"), "text");
  EXPECT_EQ(write_new_file(dir / "a", "other"), EEXIST);
  EXPECT_EQ(testing::slurp(dir / "a"), "text");
  EXPECT_EQ(write_new_file(dir / "gone/a", "text"), ENOENT);
  EXPECT_EQ(write_new_file("/dev/full", "text"), EEXIST);
  ASSERT_EQ(::symlink((dir / "target").c_str(), (dir / "link").c_str()), 0);
  EXPECT_EQ(write_new_file(dir / "link", "text"), EEXIST);
  EXPECT_FALSE(std::filesystem::exists(dir / "target"));
  for (const int error : {ENOSPC, ENOENT, EEXIST, EROFS, EIO, EBADMSG, EPERM}) {
    EXPECT_FALSE(explain_write(error).empty());
  }
}

}  // namespace
}  // namespace cardvault::custody
