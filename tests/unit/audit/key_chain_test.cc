#include "vault/audit/key_chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/audit/memory_log.h"

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
