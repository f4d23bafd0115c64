// What no tile shows: checkpoints, the log's past, what is signed and yet no event.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/audit/verified_log.h"

namespace cardvault::audit {
namespace {

TEST_F(Verify, NamesAForgedOrForeignCheckpoint) {
  log.files["checkpoint"][21] ^= 1;  // in the size
  EXPECT_EQ(first(), "forged signature ? checkpoint");
  log.files["checkpoint"] = "vault.example/log\n1\n";
  EXPECT_EQ(first(), "forged signature ? checkpoint");
  log.files["checkpoint"].clear();
  EXPECT_EQ(first(), "forged signature ? checkpoint");
  TestKey other;
  TestLog foreign(300, other);
  log.files = foreign.files;
  EXPECT_EQ(first(), "foreign log ? checkpoint");
  log.files["checkpoint"] =
      sign_checkpoint({"elsewhere.example", 5, {}}, key_->key, key_->sign).value();
  EXPECT_EQ(first(), "foreign log ? checkpoint");
  log.files.erase("checkpoint");
  EXPECT_THROW(static_cast<void>(log.verify()), base::StartupError);
}

TEST_F(Verify, HoldsTheLogAgainstItsPast) {
  TestLog small(300, *key_);
  const auto at_300 = small.files;
  const KeptCheckpoint old{"kept", small.files.at("checkpoint")};
  small.append(500);
  const KeptCheckpoint now{"kept", small.files.at("checkpoint")};
  EXPECT_TRUE(small.verify({old, now}).findings.empty());

  small.files = at_300;
  auto report = small.verify({now});
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].fault, Fault::kRolledBack);
  EXPECT_EQ(report.findings[0].record, 300U);

  // The vault's own key signs another past: what a thief of the HSM could do.
  MemoryFiles forked;
  LogWriter forger(forked, {key_->key}, key_->sign);
  auto lines = event_lines(0, 800);
  std::swap(lines[10], lines[11]);
  ASSERT_TRUE(forger.publish(lines));
  small.files = forked.files;
  report = small.verify({old});
  ASSERT_FALSE(report.findings.empty());
  EXPECT_EQ(report.findings[0].fault, Fault::kMissing);  // the numbers tell
  lines = event_lines(0, 800);
  lines[10].replace(lines[10].find("web"), 3, "bew");
  MemoryFiles forked_well;
  LogWriter better(forked_well, {key_->key}, key_->sign);
  ASSERT_TRUE(better.publish(lines));
  small.files = forked_well.files;
  EXPECT_TRUE(small.verify().findings.empty());
  report = small.verify({old});
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].fault, Fault::kRolledBack);

  TestKey other;
  TestLog foreign(3, other);
  EXPECT_THROW(static_cast<void>(small.verify({{"kept", foreign.files.at("checkpoint")}})),
               base::StartupError);
}

TEST_F(Verify, ALogBeingWrittenVerifiesAsOfItsCheckpoint) {
  TestLog small(300, *key_);
  const std::string checkpoint = small.files.at("checkpoint");
  small.append(700);
  small.files["checkpoint"] = checkpoint;  // what the verifier had read before
  EXPECT_TRUE(small.verify().findings.empty());
  EXPECT_FALSE(small.files.contains("tile/entries/001.p/44"));  // it went by the full file
  small.files["tile/entries/001"][60] ^= 1;
  EXPECT_EQ(small.verify().findings[0].record, 256U);
}

TEST_F(Verify, RefusesEventsThatAVaultDoesNotWrite) {
  MemoryFiles disk;
  LogWriter writer(disk, {key_->key}, key_->sign);
  auto lines = event_lines(0, 600);
  lines[500] = R"({"seq":500})";
  ASSERT_TRUE(writer.publish(lines));
  log.files = disk.files;
  EXPECT_EQ(first(), "malformed 500 tile/entries/001");
}

TEST_F(Verify, TimeNeverGoesBack) {
  const auto with_time_of = [](std::uint64_t number, std::uint64_t other) {
    std::string line = event_line(number);
    return line.replace(line.find("time\":\"") + 7, 24,
                        event_line(other).substr(event_line(other).find("time\":\"") + 7, 24));
  };
  for (const std::uint64_t at : {100, 256, 8192 + 0, 8192 + 5}) {
    MemoryFiles disk;
    LogWriter writer(disk, {key_->key}, key_->sign);
    auto lines = event_lines(0, 9000);
    lines[at] = with_time_of(at, at - 2);
    ASSERT_TRUE(writer.publish(lines));
    log.files = disk.files;
    EXPECT_THAT(first(), testing::StartsWith("malformed " + std::to_string(at) + " ")) << at;
  }
}

TEST_F(Verify, AFileThatCannotBeReadIsNoVerdict) {
  const ReadFile broken = [&](const std::string& path) -> base::Result<std::optional<std::string>> {
    if (path == "tile/entries/100") return base::fail(base::Code::kStoreFailed, "read", 5);
    return log.disk.read(path);
  };
  EXPECT_THROW(static_cast<void>(verify_log(broken, key_->key, {}, {.threads = 2, .progress = {}})),
               base::StartupError);
}

TEST_F(Verify, ShowsItsProgress) {
  std::uint64_t last = 0;
  const auto report =
      verify_log(log.disk.reader(), key_->key, {},
                 {.threads = 2, .progress = [&](std::uint64_t done, std::uint64_t all) {
                    EXPECT_GE(done, last);
                    EXPECT_EQ(all, kSize);
                    last = done;
                  }});
  EXPECT_EQ(last, kSize);
}

}  // namespace
}  // namespace cardvault::audit
