#include "vault/audit/key_chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/audit/memory_log.h"
#include "vault/audit/event_codec.h"

namespace cardvault::audit {
namespace {

using testing::HasSubstr;

class KeyChain : public testing::Test {
 protected:
  // Events up to `size`, with each of `at` in its place; signed by `signer`.
  void publish(TestKey& signer, std::uint64_t size,
               const std::map<std::uint64_t, std::string>& at) {
    auto lines = event_lines(0, size);
    for (const auto& [place, line] : at) lines[place] = line;
    LogWriter writer(disk, {signer.key}, signer.sign);
    ASSERT_TRUE(writer.publish(lines));
  }
  VerifyReport verify(const std::vector<KeptCheckpoint>& older = {}) {
    return verify_log(disk.reader(), first.key, older, {.threads = 2, .progress = {}});
  }
  MemoryFiles disk;
  TestKey first, second, third, strange;
};

TEST_F(KeyChain, AnEndorsedKeysCheckpointIsVerifiedByTheFirstKey) {
  publish(third, 1300,
          {{300, endorsement(300, first, second.key)}, {900, endorsement(900, second, third.key)}});
  const auto report = verify();
  ASSERT_TRUE(report.findings.empty()) << report.findings[0].what;
  ASSERT_EQ(report.successors.size(), 2U);
  EXPECT_EQ(report.successors[0].record, 300U);
  EXPECT_EQ(report.successors[0].key.text(), second.key.text());
  EXPECT_EQ(report.successors[1].record, 900U);
}

TEST_F(KeyChain, OlderCheckpointsMayBeByAnyKeyOfTheLog) {
  publish(first, 1000, {{300, endorsement(300, first, second.key)}});
  const KeptCheckpoint by_first{"first", disk.files.at("checkpoint")};
  publish(second, 1300, {{300, endorsement(300, first, second.key)}});
  const KeptCheckpoint by_second{"second", disk.files.at("checkpoint")};
  EXPECT_TRUE(verify({by_first, by_second}).findings.empty());
  publish(strange, 1300, {{300, endorsement(300, first, second.key)}});
  const KeptCheckpoint by_strange{"strange", disk.files.at("checkpoint")};
  publish(second, 1300, {{300, endorsement(300, first, second.key)}});
  EXPECT_THROW(static_cast<void>(verify({by_strange})), base::StartupError);
}

TEST_F(KeyChain, WhatNoKeyOfTheLogEndorsedIsForeign) {
  const std::map<std::uint64_t, std::string> kNone = {};
  const std::vector<std::map<std::uint64_t, std::string>> kCases = {
      kNone,
      {{300, endorsement(300, strange, second.key)}},  // by another
      // An old key names a second successor after its first one.
      {{300, endorsement(300, first, third.key)}, {301, endorsement(301, first, second.key)}},
      // The endorsement comes before the endorser's own.
      {{300, endorsement(300, third, second.key)}, {301, endorsement(301, first, third.key)}},
  };
  for (const auto& at : kCases) {
    publish(second, 700, at);
    const auto report = verify();
    ASSERT_EQ(report.findings.size(), 1U);
    EXPECT_EQ(report.findings[0].fault, Fault::kForeignLog);
    EXPECT_THAT(report.findings[0].what, HasSubstr("did not endorse"));
  }
}

TEST_F(KeyChain, AChangedStatementEndorsesNothing) {
  const std::string good = endorsement(7, first, second.key);
  ASSERT_TRUE(endorsed_key(good, first.key));
  const auto begin = good.find("\"statement\"");
  for (std::size_t i = begin + 14; i < good.size() - 3; i += 3) {
    std::string bad = good;
    bad[i] = bad[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(endorsed_key(bad, first.key)) << i;
  }
  EXPECT_FALSE(endorsed_key(good, second.key));
  EXPECT_FALSE(endorsed_key("{}", first.key));
}

TEST_F(KeyChain, AVaultsOwnNameIsTheOnlyOneThatIsEndorsed) {
  const VerifierKey elsewhere("another.example/log", second.crypto.public_key(second.ref).value());
  EXPECT_FALSE(endorsed_key(endorsement(7, first, elsewhere), first.key));
}

// Event `seq`, in which `next` is put in the place of `lost`, whose last checkpoint is `note`.
std::string replacement(std::uint64_t seq, const VerifierKey& lost, const VerifierKey& next,
                        const std::string& note) {
  core::Event event;
  event.time_ms = 1'795'000'000'000 + static_cast<std::int64_t>(seq) * 60'000;
  event.actor = "operator:dina";
  event.operation = "key.replace";
  event.details = {{"lost_vkey", lost.text()},     {"vkey", next.text()},
                   {"checkpoint", note},           {"quorum_action", "an action"},
                   {"quorum_approval1", "anna's"}, {"quorum_approval2", "bolat's"}};
  std::string line;
  append_event(line, seq, event);
  return line;
}

class LostKey : public KeyChain {
 protected:
  // 300 records under the first key, which is lost then; 700 with the second one's checkpoint.
  void lose(const std::string& line_of_300, TestKey& signer) {
    publish(signer, 700, {{300, line_of_300}});
  }
  std::string last_checkpoint(std::uint64_t size, TestKey& signer) {
    publish(signer, size, {});
    return disk.files.at("checkpoint");
  }
  VerifyReport verify_with(const QuorumJudge& judge, const VerifierKey& key) {
    return verify_log(disk.reader(), key, {}, {.threads = 2, .progress = {}}, judge);
  }
  const QuorumJudge trusting = [](const Replacement&, const Checkpoint&) { return ""; };
};

TEST_F(LostKey, AQuorumsKeyIsFollowedWhereItsCustodiansAreTrusted) {
  const std::string last = last_checkpoint(300, first);
  lose(replacement(300, first.key, second.key, last), second);
  std::vector<std::string> seen;
  const auto report = verify_with(
      [&](const Replacement& said, const Checkpoint& known) {
        EXPECT_EQ(known.size, 300U);
        EXPECT_EQ(said.lost.text(), first.key.text());
        seen = said.approvals;
        return "";
      },
      first.key);
  ASSERT_TRUE(report.findings.empty()) << report.findings[0].what;
  EXPECT_THAT(seen, testing::ElementsAre("anna's", "bolat's"));
  ASSERT_EQ(report.successors.size(), 1U);
  EXPECT_EQ(report.successors[0].record, 300U);
  EXPECT_EQ(report.successors[0].last_known, last);
}

TEST_F(LostKey, WithoutTrustInThemItEndsThereAndSaysSo) {
  lose(replacement(300, first.key, second.key, last_checkpoint(300, first)), second);
  const std::vector<std::pair<QuorumJudge, std::string>> kCases = {
      {{}, "no custodians are trusted"},
      {[](const Replacement&, const Checkpoint&) { return "too few"; }, "too few"}};
  for (const auto& [judge, why] : kCases) {
    const auto report = verify_with(judge, first.key);
    ASSERT_EQ(report.findings.size(), 1U);
    EXPECT_EQ(report.findings[0].fault, Fault::kForeignLog);
    EXPECT_EQ(report.findings[0].record, 300U);
    EXPECT_THAT(report.findings[0].what, HasSubstr(why));
  }
  EXPECT_TRUE(verify_with({}, second.key).findings.empty());  // which the reader trusts itself
}

TEST_F(LostKey, ACheckpointThatIsNotTheLogsPastIsFoundWhateverTheQuorumSays) {
  const std::string later = last_checkpoint(301, first);
  publish(first, 300, {{17, event_line(17, 2)}});
  const std::string forked = disk.files.at("checkpoint");
  const std::string strange_one = last_checkpoint(300, strange);
  lose(replacement(300, first.key, second.key, later), second);
  EXPECT_THAT(verify_with(trusting, first.key).findings.at(0).what, HasSubstr("signed before"));
  lose(replacement(300, first.key, second.key, strange_one), second);
  EXPECT_THAT(verify_with(trusting, first.key).findings.at(0).what, HasSubstr("signed before"));
  lose(replacement(300, first.key, second.key, forked), second);
  const auto report = verify_with(trusting, first.key);
  ASSERT_FALSE(report.findings.empty());
  EXPECT_EQ(report.findings[0].fault, Fault::kRolledBack);
}

TEST_F(LostKey, OnlyAnActThatWasDoneOnThisLogsKeysCounts) {
  const std::string last = last_checkpoint(300, first);
  std::string refused = replacement(300, first.key, second.key, last);
  refused.replace(refused.find("\"outcome\":\"ok\""), 14, "\"outcome\":\"no\"");
  const VerifierKey elsewhere("another.example/log", second.crypto.public_key(second.ref).value());
  for (const std::string& line : {refused, replacement(300, strange.key, second.key, last),
                                  replacement(300, first.key, elsewhere, last)}) {
    lose(line, second);
    const auto report = verify_with(trusting, first.key);
    ASSERT_EQ(report.findings.size(), 1U);
    EXPECT_EQ(report.findings[0].fault, Fault::kForeignLog);
  }
}

TEST_F(LostKey, TheKeysAfterItHandOnAsEver) {
  const std::string last = last_checkpoint(300, first);
  publish(third, 700,
          {{300, replacement(300, first.key, second.key, last)},
           // Said a second time, by whoever has the old word: nothing new.
           {400, replacement(400, first.key, second.key, last)},
           {500, endorsement(500, second, third.key)}});
  const auto report = verify_with(trusting, first.key);
  ASSERT_TRUE(report.findings.empty()) << report.findings[0].what;
  ASSERT_EQ(report.successors.size(), 2U);
  EXPECT_EQ(report.successors[1].key.text(), third.key.text());
}

TEST_F(KeyChain, ATakenOutEndorsementIsFoundMissing) {
  publish(second, 700, {{300, endorsement(300, first, second.key)}});
  disk.files.erase("tile/entries/001");
  const auto report = verify();
  ASSERT_FALSE(report.findings.empty());
  EXPECT_EQ(report.findings[0].fault, Fault::kMissing);
  EXPECT_EQ(report.findings[0].record, 256U);
}

}  // namespace
}  // namespace cardvault::audit
