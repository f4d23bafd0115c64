#include "vault/custody/transcript.h"

#include <gtest/gtest.h>

#include "provisioning/custody/transcript_check.h"
#include "tests/unit/custody/custody_fixture.h"
#include "vault/custody/drill_log.h"
#include "vault/custody/share_register.h"

namespace cardvault::custody {
namespace {

using testing::label_of;
using testing::refusal;
using testing::secret_of;
using testing::slurp;
using testing::spill;
using testing::TempDir;
using testing::TestKey;

const std::string kVaultText = "0123456789abcdef";

// A whole ceremony's transcript, made without a token.
class Story {
 public:
  explicit Story(const std::string& path)
      : path_(path), plan_(parse_plan("p", testing::plan_text(keys))) {
    auto writer = TranscriptWriter::create(path, {"ceremony", kVaultText, "none", plan_.text});
    for (std::size_t i = 0; i < 3; ++i) {
      writer.add("plan-signed",
                 {{"custodian", name(i)},
                  {"signature", hex(keys[i].sign(plan_message(kVaultText, plan_.digest)))}});
    }
    for (const SecretName secret : kAllSecrets) deliver(writer, secret, 1);
    writer.add("token-begin", {{"label", "cardvault"}});
    writer.add("token-made", {{"label", "cardvault"}});
    for (const core::KeyPurpose purpose : core::kAllKeyPurposes) {
      writer.add("key-made", {{"label", core::key_label({purpose, 1})},
                              {"kind", "AES-256"},
                              {"kcv", "0011223344"},
                              {"kcv_kind", "CMAC"},
                              {"sensitive", "yes"}});
    }
    writer.add("token-tried", {});
    writer.add("audit-key", {{"key", audit.text()}});
    writer.add("end", {});
    sign(writer);
  }

  void deliver(TranscriptWriter& writer, SecretName secret, std::uint8_t generation) {
    for (Share& share : split_secret(secret_of(9), label_of(secret, generation, 2, 3))) {
      Fields fields = share_fields(share.label, name(share.label.index - 1U), share_digest(share));
      writer.add("share-made", fields);
      writer.add("share-confirmed", fields);
      shares.push_back(std::move(share));
    }
  }
  void sign(TranscriptWriter& writer) {
    const std::string message = transcript_message(writer.so_far().body);
    writer.add(Signed{"audit-sign", audit.sign(message)});
    for (std::size_t i = 0; i < 3; ++i) writer.add(Signed{name(i), keys[i].sign(message)});
  }
  [[nodiscard]] std::string name(std::size_t i) const { return plan_.custodians[i].custodian.name; }
  [[nodiscard]] std::string text() const { return slurp(path_); }
  [[nodiscard]] const Share& share(SecretName secret, std::size_t index) const {
    for (const Share& one : shares) {
      if (one.label.secret == secret && one.label.index == index) return one;
    }
    throw std::logic_error("no such share");
  }

  std::vector<TestKey> keys{3};
  TestKey audit;
  std::vector<Share> shares;

 private:
  std::string path_;
  Plan plan_;
};

std::vector<std::string> faults(const std::string& text) {
  std::vector<std::string> out;
  for (const Check& check : check_transcript(parse_transcript("t", text))) {
    if (!check.good) out.push_back(check.what);
  }
  return out;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  if (at == std::string::npos) throw std::logic_error("not in the text: " + from);
  return text.replace(at, from.size(), to);
}

TEST(Transcript, OfAWholeCeremonyHolds) {
  const TempDir dir;
  const Story story(dir / "t");
  EXPECT_EQ(faults(story.text()), std::vector<std::string>{});
}

TEST(Transcript, AnyChangeIsNamed) {
  const TempDir dir;
  const Story story(dir / "t");
  const std::string text = story.text();
  const auto first_of = [](const std::string& changed) {
    const auto all = faults(changed);
    return all.empty() ? "nothing" : all.front();
  };
  EXPECT_EQ(first_of(replaced(text, "plan: title = \"a test\"", "plan: title = \"a best\"")),
            "anna signed another plan than the one in the transcript");
  EXPECT_EQ(first_of(replaced(text, "label=pan-enc/1", "label=pan-enc/2")),
            "pan-enc/1 was not made");
  EXPECT_EQ(first_of(replaced(text, "sensitive=yes", "sensitive=no")),
            "pan-enc/1 was not made as it must be");
  EXPECT_EQ(first_of(replaced(text, "0011223344", "0011223355")),
            "audit-sign's signature is not under this transcript: it was changed");
  EXPECT_EQ(first_of(text.substr(0, text.rfind("signed: carol"))),
            "carol did not sign the transcript");
  const auto confirmed = text.find("share-confirmed secret=backup-key");
  const auto line = text.rfind("entry: ", confirmed);
  std::string undelivered = text;
  undelivered.erase(line, text.find('\n', line) + 1 - line);
  EXPECT_EQ(first_of(undelivered),
            "backup-key: its shares are not those of the plan, or not all were delivered");
}

TEST(Transcript, RefusesATextThatIsNone) {
  const TempDir dir;
  const Story story(dir / "t");
  const std::string text = story.text();
  for (const std::string& bad :
       {std::string(), std::string("hello\n"), text.substr(0, text.size() - 1), text + "more\n",
        replaced(text, "entry: 2", "entry: x"), replaced(text, "secret=so-pin", "secret")}) {
    EXPECT_FALSE(refusal([&] { static_cast<void>(parse_transcript("t", bad)); }).empty());
  }
}

TEST(TranscriptWriter, GoesOnAfterATornLine) {
  const TempDir dir;
  {
    auto writer = TranscriptWriter::create(dir / "t", {"ceremony", kVaultText, "none", "x = 1\n"});
    writer.add("one", {{"a", "b c=d%\n"}});
  }
  const std::string whole = slurp(dir / "t");
  spill(dir / "t", whole + "entry: 2026-11-22T00:00:00.00");
  auto writer = TranscriptWriter::resume(dir / "t");
  EXPECT_EQ(slurp(dir / "t"), whole);
  ASSERT_EQ(writer.so_far().entries.size(), 1U);
  EXPECT_EQ(writer.so_far().entries[0].get("a"), "b c=d%\n");
  EXPECT_NE(refusal([&] {
              static_cast<void>(TranscriptWriter::resume(dir / "t"));
            }).find("another ceremony is at work"),
            std::string::npos);
  EXPECT_NE(refusal([&] {
              static_cast<void>(TranscriptWriter::create(dir / "t", {"ceremony", "", "", ""}));
            }),
            "");
}

TEST(ShareRegister, KnowsGoodSharesAndNamesTheOthers) {
  const TempDir dir;
  const Story story(dir / "t");
  const ShareRegister shares(parse_transcript("t", story.text()));
  const Share& good = story.share(SecretName::kSoPin, 2);
  ASSERT_TRUE(shares.check(good, SecretName::kSoPin));
  EXPECT_EQ(shares.check(good, SecretName::kSoPin)->custodian, "bolat");
  EXPECT_EQ(shares.check(good, SecretName::kUserPin).error(), ShareFault::kOtherSecret);
  EXPECT_EQ(shares.check(good, SecretName::kSoPin, std::span(&good, 1)).error(),
            ShareFault::kTwice);
  Share foreign(good.label, good.value);
  foreign.label.vault[0] = 9;
  EXPECT_EQ(shares.check(foreign, SecretName::kSoPin).error(), ShareFault::kOtherVault);
  Share changed(good.label, good.value);
  changed.value[0] = static_cast<std::uint8_t>(changed.value[0] ^ 1U);
  EXPECT_EQ(shares.check(changed, SecretName::kSoPin).error(), ShareFault::kChanged);
  Share later(good.label, good.value);
  later.label.generation = 2;
  EXPECT_EQ(shares.check(later, SecretName::kSoPin).error(), ShareFault::kUnknown);
  for (const ShareFault fault :
       {ShareFault::kOtherVault, ShareFault::kOtherSecret, ShareFault::kReplaced,
        ShareFault::kUnknown, ShareFault::kChanged, ShareFault::kTwice}) {
    EXPECT_EQ(explain(fault, good.label).find("this is share 2 of 3 of so-pin"), 0U);
  }
}

TEST(ShareRegister, AVoidSplitIsGoodNoMore) {
  const TempDir dir;
  auto writer = TranscriptWriter::create(dir / "t", {"reshare", kVaultText, "none", "x = 1\n"});
  const auto old = split_secret(secret_of(1), label_of(SecretName::kSoPin, 1, 2, 2));
  const auto fresh = split_secret(secret_of(1), label_of(SecretName::kSoPin, 2, 2, 2));
  for (const Share& one : old)
    writer.add("share-carried", share_fields(one.label, "anna", share_digest(one)));
  for (const Share& one : fresh)
    writer.add("share-made", share_fields(one.label, "anna", share_digest(one)));
  {
    const ShareRegister shares(writer.so_far());
    EXPECT_EQ(shares.current(SecretName::kSoPin).size(), 2U);  // not confirmed yet: the old ones
    EXPECT_EQ(shares.check(fresh[0], SecretName::kSoPin).error(), ShareFault::kReplaced);
    EXPECT_EQ(shares.newest_generation(SecretName::kSoPin), 2U);
  }
  for (const Share& one : fresh) writer.add("share-confirmed", share_fields(one.label, "anna", {}));
  writer.add("split-void", {{"secret", "so-pin"}, {"generation", "1"}});
  const ShareRegister shares(writer.so_far());
  EXPECT_EQ(shares.check(old[0], SecretName::kSoPin).error(), ShareFault::kReplaced);
  EXPECT_TRUE(shares.check(fresh[0], SecretName::kSoPin));
}

TEST(DrillLog, RemembersTheLastProofOfEachShare) {
  const TempDir dir;
  const Story story(dir / "t");
  auto drills = last_drills(dir / "t");
  ASSERT_EQ(drills.size(), 9U);
  EXPECT_EQ(drills[0].proven_ms, 0);
  EXPECT_GT(drills[0].delivered_ms, 0);
  record_drill(dir / "t", drills[1].share, 1'795'000'000'000);
  record_drill(dir / "t", drills[1].share, 1'795'000'100'000);
  spill(dir / "t.drills", slurp(dir / "t.drills") + "torn li");
  drills = last_drills(dir / "t");
  EXPECT_EQ(drills[0].proven_ms, 0);
  EXPECT_EQ(drills[1].proven_ms, 1'795'000'100'000);
}

}  // namespace
}  // namespace cardvault::custody
