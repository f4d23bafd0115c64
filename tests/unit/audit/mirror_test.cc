#include "vault/audit/mirror.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/audit/memory_log.h"
#include "vault/audit/tile.h"

namespace cardvault::audit {
namespace {

using base::Code;
using testing::HasSubstr;

struct Mirror : testing::Test {
  MirrorReport update(const ReadFile& remote) {
    auto report = update_mirror(remote, copy, keys, {});
    EXPECT_TRUE(report) << report.error().operation;
    return report ? *report : MirrorReport{};
  }
  MirrorReport update() { return update(log.disk.reader()); }
  std::string alarm() {
    const auto report = update();
    return report.alarm ? std::string(fault_name(report.alarm->fault)) + ": " + report.alarm->what
                        : "none";
  }
  // Is the copy a log that verifies, of so many records?
  void expect_whole(std::uint64_t records) {
    const auto report = verify_log(copy.reader(), key.key, {}, {.threads = 1, .progress = {}});
    EXPECT_TRUE(report.findings.empty()) << report.findings.front().what;
    EXPECT_EQ(report.checkpoint.size, records);
    for (const auto& [path, bytes] : copy.files) EXPECT_TRUE(is_log_path(path)) << path;
  }

  TestKey key;
  std::vector<VerifierKey> keys = {key.key};
  TestLog log{40'000, key};
  MemoryFiles copy;
};

TEST_F(Mirror, CopiesALogAndGoesOnWithIt) {
  EXPECT_EQ(update().added, 40'000U);
  expect_whole(40'000);
  EXPECT_EQ(update().added, 0U);
  for (const std::uint64_t more : {1U, 191U, 64U, 256U, 5000U}) {
    log.append(more);
    EXPECT_EQ(update().added, more);
  }
  expect_whole(45'512);
  for (const auto& [path, bytes] : log.files) {
    if (path.find(".p/") != path.npos) continue;
    EXPECT_EQ(copy.files[path], bytes) << path;
  }
  // Which tiles were partial on the way, each has of its own.
  for (const auto& [path, bytes] : copy.files) {
    const auto place = parse_tile_path(path);
    if (!place || place->width == kTileWidth) continue;
    const TileReader logged(log.disk.reader(), 45'512);
    const std::string whole = place->bundle ? *logged.bundle(place->index)
                                            : tile_bytes(*logged.tile(place->level, place->index));
    EXPECT_EQ(bytes, whole.substr(0, bytes.size())) << path;
  }
}

TEST_F(Mirror, AsksForNothingTwice) {
  static_cast<void>(update());
  log.append(10);
  int bundles = 0;
  static_cast<void>(update([&](const std::string& path) {
    if (path.starts_with("tile/entries/")) ++bundles;
    return log.disk.read(path);
  }));
  EXPECT_EQ(bundles, 1);
}

// Whatever step of writing fails, the copy verifies, and the next update makes it whole.
TEST_F(Mirror, OutlivesEveryFailureOfItsDisk) {
  static_cast<void>(update());
  const int steps = copy.steps();
  for (int step = 0; step < steps; step += step < steps - 12 ? 97 : 1) {
    SCOPED_TRACE(step);
    copy.files.clear();
    copy.fail_at(step);
    EXPECT_FALSE(update_mirror(log.disk.reader(), copy, keys, {}));
    copy.fail_at(-1);
    if (copy.files.contains("checkpoint")) {
      EXPECT_TRUE(
          verify_log(copy.reader(), key.key, {}, {.threads = 1, .progress = {}}).findings.empty());
    }
    EXPECT_FALSE(update().alarm);
    expect_whole(40'000);
  }
}

// A connection that ends, at every hundredth file: nothing that was proven is asked for again.
TEST_F(Mirror, GoesOnWhereItWasCutOff) {
  int reads = 0, rounds = 0;
  for (bool whole = false; !whole; ++rounds) {
    int left = 100;
    const auto report = update_mirror(
        [&](const std::string& path) -> base::Result<std::optional<std::string>> {
          if (left-- == 0) return base::fail(Code::kVaultUnavailable, "cut off");
          ++reads;
          return log.disk.read(path);
        },
        copy, keys, {});
    whole = report.has_value();
    ASSERT_LT(rounds, 10);
  }
  expect_whole(40'000);
  EXPECT_LT(reads, 400);  // 157 bundles, and for each round the tiles at the log's end
}

TEST_F(Mirror, AlarmsWhenTheLogWasRolledBack) {
  static_cast<void>(update());
  const auto earlier = log.files;
  log.append(300);
  static_cast<void>(update());
  log.files = earlier;
  const auto report = update();
  EXPECT_THAT(alarm(), HasSubstr("rolled back: the log served has 40000 records"));
  EXPECT_EQ(report.ours, copy.files["checkpoint"]);
  EXPECT_EQ(report.theirs, earlier.at("checkpoint"));
  expect_whole(40'300);
}

TEST_F(Mirror, AlarmsWhenTheLogWasForked) {
  TestLog other(300, key);
  log.files = other.files;
  static_cast<void>(update());
  TestKey same;
  TestLog fork(0, key);
  LogWriter writer(fork.disk, {key.key}, key.sign);
  ASSERT_EQ(writer.open({}), std::nullopt);
  auto lines = event_lines(0, 600);
  lines[17] = event_line(18);
  ASSERT_TRUE(writer.publish(lines));
  log.files = fork.files;
  EXPECT_THAT(alarm(), HasSubstr("the log was forked"));
  expect_whole(300);
}

// The vault goes on with another audit-sign, which the one before endorsed in the log.
TEST_F(Mirror, GoesOnWithEndorsedKeys) {
  TestKey second, strange;
  auto lines = event_lines(0, 1500);
  lines[900] = endorsement(900, key, second.key);
  const auto publish = [&](TestKey& signer, std::size_t size) {
    log.files.clear();
    LogWriter writer(log.disk, {signer.key}, signer.sign);
    ASSERT_TRUE(writer.publish({lines.begin(), lines.begin() + static_cast<long>(size)}));
  };
  publish(key, 600);
  EXPECT_EQ(update().added, 600U);
  publish(second, 1200);
  EXPECT_EQ(update().added, 600U);
  EXPECT_EQ(keys.size(), 2U);
  expect_whole(1200);
  // One that knows the first key alone, as after a restart, and a copy that is new.
  keys.erase(keys.begin() + 1, keys.end());
  publish(second, 1500);
  EXPECT_EQ(update().added, 300U);
  keys.erase(keys.begin() + 1, keys.end());
  copy.files.clear();
  EXPECT_EQ(update().added, 1500U);
  expect_whole(1500);
  publish(strange, 1500);
  EXPECT_THAT(alarm(), testing::StartsWith("foreign log"));
}

// Whoever trusts the newest key alone goes on with a copy that the one before vouched for, where
// the served log continues it.
TEST_F(Mirror, TakesUpACopyOfAnEarlierKeysTime) {
  TestKey second;
  const auto publish = [&](TestKey& signer, const std::vector<std::string>& lines) {
    log.files.clear();
    LogWriter writer(log.disk, {signer.key}, signer.sign);
    ASSERT_TRUE(writer.publish(lines));
  };
  publish(key, event_lines(0, 600));
  EXPECT_EQ(update().added, 600U);
  keys = {second.key};
  auto other = event_lines(0, 1200);
  other[17] = event_line(18);
  publish(second, other);
  EXPECT_THAT(alarm(), testing::StartsWith("foreign log: the checkpoint of this copy"));
  publish(second, event_lines(0, 500));
  EXPECT_THAT(alarm(), testing::StartsWith("rolled back"));
  const std::string before = copy.files.at("checkpoint");
  copy.files["tile/0/002.p/88"][5] ^= 1;
  EXPECT_THAT(alarm(), HasSubstr("this copy's own files"));
  copy.files["tile/0/002.p/88"][5] ^= 1;
  EXPECT_EQ(copy.files.at("checkpoint"), before);
  publish(second, event_lines(0, 1200));
  EXPECT_EQ(update().added, 600U);
  const auto report = verify_log(copy.reader(), second.key, {}, {.threads = 1, .progress = {}});
  EXPECT_TRUE(report.findings.empty()) << report.findings.front().what;
}

TEST_F(Mirror, TellsOfAnOutageWhileItLooksForKeys) {
  TestKey second;
  TestLog other(1000, second);
  const auto report = update_mirror(
      [&](const std::string& path) -> base::Result<std::optional<std::string>> {
        if (path != kCheckpointPath) return base::fail(Code::kVaultUnavailable, "cut off");
        return other.disk.read(path);
      },
      copy, keys, {});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Code::kVaultUnavailable);
}

TEST_F(Mirror, AlarmsOnAnotherKeysCheckpointAndOnAForgedOne) {
  static_cast<void>(update());
  const std::string good = log.files["checkpoint"];
  TestKey stranger;
  TestLog foreign(50'000, stranger);
  log.files["checkpoint"] = foreign.files["checkpoint"];
  EXPECT_THAT(alarm(), testing::StartsWith("foreign log"));
  log.files["checkpoint"] = good;
  log.files["checkpoint"].replace(good.find("\n40000\n"), 7, "\n40001\n");
  EXPECT_THAT(alarm(), testing::StartsWith("forged signature"));
  log.files["checkpoint"] = "nothing signed";
  EXPECT_THAT(alarm(), testing::StartsWith("forged signature"));
  expect_whole(40'000);
}

TEST_F(Mirror, NamesTheFileThatIsServedWrongly) {
  struct Case {
    std::string path;
    std::function<void(std::string&)> change;
    std::string fault;
  };
  const auto flip = [](std::string& bytes) { bytes[bytes.size() / 2] ^= 1; };
  const auto cut = [](std::string& bytes) { bytes.pop_back(); };
  const std::vector<Case> cases = {
      {"tile/entries/000", flip, "flipped"},   {"tile/entries/100", flip, "flipped"},
      {"tile/entries/100", cut, "truncated"},  {"tile/entries/156.p/64", flip, "flipped"},
      {"tile/0/156.p/64", flip, "flipped"},    {"tile/0/156.p/64", cut, "truncated"},
      {"tile/1/000.p/156", flip, "flipped"},   {"tile/entries/100", nullptr, "missing"},
      {"tile/1/000.p/156", nullptr, "missing"}};
  const auto whole = log.files;
  for (const Case& one : cases) {
    SCOPED_TRACE(one.path);
    log.files = whole;
    ASSERT_TRUE(log.files.contains(one.path));
    if (one.change) {
      one.change(log.files[one.path]);
    } else {
      log.files.erase(one.path);
    }
    copy.files.clear();
    const auto report = update();
    ASSERT_TRUE(report.alarm);
    EXPECT_EQ(fault_name(report.alarm->fault), one.fault);
    EXPECT_FALSE(copy.files.contains("checkpoint"));
    log.files = whole;
    EXPECT_FALSE(update().alarm);  // what was stored before the alarm is right
    expect_whole(40'000);
  }
}

TEST_F(Mirror, NamesTheRecordThatIsNotTheOneInItsTile) {
  static_cast<void>(log.files);
  std::string& bundle = log.files["tile/entries/100"];
  bundle[bundle.size() - 3] ^= 1;
  const auto report = update();
  ASSERT_TRUE(report.alarm);
  EXPECT_EQ(report.alarm->record, 100U * 256 + 255);
  EXPECT_EQ(report.served->path, "tile/entries/100");
  EXPECT_EQ(report.served->bytes, bundle);
}

TEST_F(Mirror, FindsItsOwnFilesChanged) {
  static_cast<void>(update());
  copy.files["tile/0/156.p/64"][5] ^= 1;
  EXPECT_THAT(alarm(), HasSubstr("this copy's own files"));
}

// What an update that was cut off has left is believed only as far as the log proves it.
TEST_F(Mirror, TakesPendingFilesThatWereChangedOnceMore) {
  int left = 120;
  const auto cut_off = update_mirror(
      [&](const std::string& path) -> base::Result<std::optional<std::string>> {
        if (left-- == 0) return base::fail(Code::kVaultUnavailable, "cut off");
        return log.disk.read(path);
      },
      copy, keys, {});
  ASSERT_FALSE(cut_off);
  ASSERT_TRUE(copy.files.contains("pending/update"));
  for (auto& [path, bytes] : copy.files) {
    if (path.starts_with("tile/1/")) bytes[3] ^= 1;
  }
  EXPECT_FALSE(update().alarm);
  expect_whole(40'000);
}

// A vault that shows one collector a log, and then another one, even while the first was copied.
TEST_F(Mirror, RemembersTheCheckpointOfAnUpdateThatWasCutOff) {
  int left = 120;
  const auto cut_off = update_mirror(
      [&](const std::string& path) -> base::Result<std::optional<std::string>> {
        if (left-- == 0) return base::fail(Code::kVaultUnavailable, "cut off");
        return log.disk.read(path);
      },
      copy, keys, {});
  ASSERT_FALSE(cut_off);
  TestLog shorter(39'000, key);
  log.files = shorter.files;
  EXPECT_THAT(alarm(), HasSubstr("an earlier update was served"));
}

}  // namespace
}  // namespace cardvault::audit
