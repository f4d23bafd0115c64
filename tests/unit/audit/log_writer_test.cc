#include "vault/audit/log_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/audit/memory_log.h"

namespace cardvault::audit {
namespace {

using testing::HasSubstr;

class LogWriting : public testing::Test {
 protected:
  LogWriter writer(MemoryFiles& disk) { return {disk, {key.key}, key.sign}; }
  TestKey key;
};

TEST_F(LogWriting, ALogGoesOnAfterAStart) {
  MemoryFiles disk;
  for (const std::uint64_t size : {1, 2, 255, 256, 257, 600, 70'000}) {
    LogWriter writer = this->writer(disk);
    ASSERT_EQ(writer.open({}), std::nullopt);
    ASSERT_TRUE(writer.publish(event_lines(writer.size(), size)));
    EXPECT_EQ(writer.size(), size);
    const auto report = verify_log(disk.reader(), key.key, {}, {.threads = 2, .progress = {}});
    EXPECT_TRUE(report.findings.empty()) << report.findings[0].what;
    EXPECT_EQ(report.checkpoint.size, size);
  }
  EXPECT_TRUE(disk.files.contains("tile/0/272"));
  EXPECT_FALSE(disk.files.contains("tile/0/000.p/255"));  // gave way to the full tile
  EXPECT_FALSE(disk.files.contains("tile/entries/000.p/1"));
}

TEST_F(LogWriting, NothingIsPublishedForNothing) {
  MemoryFiles disk;
  LogWriter writer = this->writer(disk);
  ASSERT_EQ(writer.open({}), std::nullopt);
  EXPECT_TRUE(writer.publish({}));
  EXPECT_TRUE(disk.files.empty());
}

TEST_F(LogWriting, AWrongSignatureIsNotPublished) {
  MemoryFiles disk;
  int signatures = 0;
  LogWriter writer(disk, {key.key}, [&](std::string_view text) {
    auto made = key.sign(text);
    if (++signatures == 2) made->back() ^= 1;
    return made;
  });
  ASSERT_EQ(writer.open({}), std::nullopt);
  ASSERT_TRUE(writer.publish(event_lines(0, 3)));
  const std::string before = disk.files.at("checkpoint");
  EXPECT_FALSE(writer.publish(event_lines(3, 5)));
  EXPECT_EQ(disk.files.at("checkpoint"), before);
  ASSERT_TRUE(writer.publish(event_lines(3, 5)));
  EXPECT_EQ(writer.size(), 5U);
  EXPECT_EQ(this->writer(disk).open({}), std::nullopt);
}

// Whatever step fails, and whatever of it is on the disk then: what a reader finds verifies, and
// the log goes on, in this process or in a new one, from the same events.
TEST_F(LogWriting, EveryStepMayFail) {
  const std::vector<std::uint64_t> kSizes = {3, 250, 530, 531};
  for (const bool restart : {false, true}) {
    for (int failing = 0;; ++failing) {
      MemoryFiles disk;
      disk.chance.seed(static_cast<unsigned>(failing));
      auto writer = std::make_unique<LogWriter>(this->writer(disk));
      ASSERT_EQ(writer->open({}), std::nullopt);
      std::vector<KeptCheckpoint> seen;
      disk.fail_at(failing);
      for (const std::uint64_t size : kSizes) {
        for (int tries = 0; writer->size() < size; ++tries) {
          ASSERT_LT(tries, 3);
          // After a failure there may be more to publish than there was.
          const auto done =
              writer->publish(event_lines(writer->size(), size + (tries > 0 ? 1 : 0)));
          if (disk.files.contains("checkpoint")) {
            const auto report =
                verify_log(disk.reader(), key.key, seen, {.threads = 1, .progress = {}});
            ASSERT_TRUE(report.findings.empty())
                << "step " << failing << ": " << report.findings[0].what;
            seen = {{"seen before", disk.files.at("checkpoint")}};
          }
          if (done || !restart) continue;
          writer = std::make_unique<LogWriter>(this->writer(disk));
          ASSERT_EQ(writer->open(seen), std::nullopt);
        }
      }
      EXPECT_GE(writer->size(), kSizes.back());
      if (disk.steps() <= failing) break;  // every step has had its turn
    }
  }
}

// A replacement that fails may have shown the new checkpoint. The retry writes nothing again that
// it covers, so whatever fails then, readers find a log that verifies.
TEST_F(LogWriting, WhatAFailedReplacementHasShownIsNotWrittenAgain) {
  constexpr int kReplacement = 10;  // after five files put and synced, a full tile among them
  int shown = 0;
  for (int failing = 0; failing < 12; ++failing) {
    for (unsigned seed = 0; seed < 8; ++seed) {
      MemoryFiles disk;
      disk.chance.seed(seed);
      LogWriter writer = this->writer(disk);
      ASSERT_EQ(writer.open({}), std::nullopt);
      ASSERT_TRUE(writer.publish(event_lines(0, 250)));
      const std::string before = disk.files.at("checkpoint");
      disk.fail_at(kReplacement);
      ASSERT_FALSE(writer.publish(event_lines(250, 257)));
      EXPECT_EQ(writer.size(), 250U);
      const KeptCheckpoint seen{"seen", disk.files.at("checkpoint")};
      if (seen.note == before) continue;
      ++shown;
      disk.fail_at(failing);
      for (const std::uint64_t size : {258, 270}) {
        static_cast<void>(writer.publish(event_lines(writer.size(), size)));
        const auto report =
            verify_log(disk.reader(), key.key, {seen}, {.threads = 1, .progress = {}});
        ASSERT_TRUE(report.findings.empty())
            << "step " << failing << ", seed " << seed << ": " << report.findings[0].what;
        disk.fail_at(-1);
      }
      EXPECT_EQ(writer.size(), 270U);
    }
  }
  EXPECT_GT(shown, 0);
}

TEST_F(LogWriting, OnlyWhatItPutInPlaceItselfIsDurable) {
  TestLog log(300, key);
  LogWriter writer = this->writer(log.disk);
  ASSERT_EQ(writer.open({}), std::nullopt);
  EXPECT_EQ(writer.durable_size(), 0U);
  ASSERT_TRUE(writer.publish(event_lines(300, 310)));
  EXPECT_EQ(writer.durable_size(), 310U);
  log.disk.fail_at(0);
  ASSERT_FALSE(writer.publish(event_lines(310, 320)));
  EXPECT_EQ(writer.durable_size(), 310U);
}

TEST_F(LogWriting, AFailingSignatureLeavesTheLogAsItWas) {
  TestLog log(300, key);
  const auto checkpoint = log.files.at("checkpoint");
  LogWriter writer = this->writer(log.disk);
  ASSERT_EQ(writer.open({}), std::nullopt);
  key.crypto.set_down(true);
  EXPECT_EQ(writer.publish(event_lines(300, 310)).error().code, base::Code::kHsmUnavailable);
  EXPECT_EQ(log.files.at("checkpoint"), checkpoint);
  EXPECT_EQ(writer.size(), 300U);
  key.crypto.set_down(false);
  EXPECT_TRUE(writer.publish(event_lines(300, 320)));
  EXPECT_TRUE(log.verify().findings.empty());
}

TEST_F(LogWriting, OpensOnlyWhatItSigned) {
  TestLog log(700, key);
  const auto good = log.files;
  const auto refuses = [&](const char* part, const char* expected) {
    LogWriter writer = this->writer(log.disk);
    const auto why = writer.open({});
    ASSERT_TRUE(why) << part;
    EXPECT_THAT(*why, HasSubstr(expected));
    log.files = good;
  };
  log.files["checkpoint"][20] ^= 1;
  refuses("size", "signature");
  log.files["checkpoint"].pop_back();
  refuses("end", "no signed checkpoint");
  TestKey other;
  log.files["checkpoint"] =
      sign_checkpoint({"vault.example/log", 700, {}}, other.key, other.sign).value();
  refuses("key", "a key that this vault does not have");
  log.files["checkpoint"] =
      sign_checkpoint({"vault.example/log", 700, {}}, key.key, key.sign).value();
  refuses("root", "the root that its checkpoint signs");
  log.files["tile/1/000.p/2"][40] ^= 1;
  refuses("level 1", "the root that its checkpoint signs");
  log.files["tile/0/002.p/188"][40] ^= 1;
  refuses("level 0", "damaged");
  log.files["tile/entries/002.p/188"][40] ^= 1;
  refuses("entries", "damaged");
  for (const char* path : {"tile/0/002.p/188", "tile/entries/002.p/188", "tile/1/000.p/2"}) {
    log.files.erase(path);
    refuses(path, "missing");
  }
  LogWriter writer = this->writer(log.disk);
  EXPECT_EQ(writer.open({}), std::nullopt);
}

TEST_F(LogWriting, GoesOnFromAnOlderKeysCheckpoint) {
  TestLog log(20, key);
  TestKey renewed;
  const VerifierKey again(key.key.name(), renewed.crypto.public_key(renewed.ref).value());
  LogWriter alone(log.disk, {again}, renewed.sign);
  EXPECT_TRUE(alone.open({}));
  LogWriter writer(log.disk, {again, key.key}, renewed.sign);
  ASSERT_EQ(writer.open({}), std::nullopt);
  EXPECT_TRUE(writer.publish(event_lines(20, 30)));
  EXPECT_EQ(open_checkpoint(log.files.at("checkpoint"), again).trust, Trust::kGood);
}

TEST_F(LogWriting, KeptCheckpointsHaveToBeItsPast) {
  TestLog log(300, key);
  const KeptCheckpoint early{"in the safe", log.files.at("checkpoint")};
  const auto old_files = log.files;
  log.append(400);
  const KeptCheckpoint late{"in the safe", log.files.at("checkpoint")};
  LogWriter writer = this->writer(log.disk);
  EXPECT_EQ(writer.open(std::vector{early, late}), std::nullopt);

  // Rolled back, another log of the same key, and no log at all.
  const auto new_files = std::exchange(log.files, old_files);
  EXPECT_THAT(writer.open(std::vector{late}).value_or(""), HasSubstr("rolled back"));
  MemoryFiles forked;
  LogWriter forger = this->writer(forked);
  auto lines = event_lines(0, 900);
  lines[17] = event_line(18);
  ASSERT_TRUE(forger.publish(lines));
  LogWriter reopened = this->writer(forked);
  EXPECT_EQ(reopened.open({}), std::nullopt);
  EXPECT_THAT(reopened.open(std::vector{late}).value_or(""), HasSubstr("not a continuation"));
  MemoryFiles empty;
  LogWriter fresh = this->writer(empty);
  EXPECT_EQ(fresh.open({}), std::nullopt);
  EXPECT_THAT(fresh.open(std::vector{late}).value_or(""), HasSubstr("rolled back"));

  log.files = new_files;
  log.files.erase("tile/0/001");
  EXPECT_THAT(writer.open(std::vector{early}).value_or(""), HasSubstr("missing or damaged"));
  EXPECT_THAT(writer.open(std::vector{KeptCheckpoint{"in the safe", "nonsense"}}).value_or(""),
              HasSubstr("in the safe is no signed checkpoint"));
}

}  // namespace
}  // namespace cardvault::audit
