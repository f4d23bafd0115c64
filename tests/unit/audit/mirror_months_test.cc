#include "vault/audit/mirror_months.h"

#include <gtest/gtest.h>

#include "tests/unit/audit/memory_log.h"
#include "vault/audit/mirror.h"
#include "vault/audit/segments.h"

namespace cardvault::audit {
namespace {

// A log with months: an event an hour.
struct MirrorOfMonths : testing::Test {
  MirrorReport update(const ReadFile& remote) {
    auto report = update_mirror(remote, copy, keys, {});
    EXPECT_TRUE(report) << report.error().operation;
    return report ? *report : MirrorReport{};
  }
  static constexpr std::uint64_t kDecember = 301, kFebruary = 1789;
  static constexpr std::int64_t kMinutes = 60;
  void publish_to(std::uint64_t size) {
    while (writer.size() < size) {
      ASSERT_TRUE(months.publish(event_lines(
          writer.size(), std::min<std::uint64_t>(size, writer.size() + 100), kMinutes)));
    }
  }
  void expect_same_notes() const {
    const auto copied = notes(copy), served = notes(disk);
    for (const auto& [path, bytes] : served) {
      EXPECT_TRUE(copied.contains(path) && copied.at(path) == bytes) << path;
    }
    EXPECT_EQ(copied.size(), served.size());
  }
  [[nodiscard]] static std::map<std::string, std::string> notes(const MemoryFiles& files) {
    std::map<std::string, std::string> found;
    for (const auto& one : files.files) {
      if (one.first.starts_with("segment/")) found.insert(one);
    }
    return found;
  }
  TestKey key;
  std::vector<VerifierKey> keys = {key.key};
  MemoryFiles copy, disk;
  LogWriter writer{disk, {key.key}, key.sign};
  MonthlyLog months{disk, writer, [] { return base::Result<void>(); }};
};

TEST_F(MirrorOfMonths, CopiesTheNotesOfClosedMonths) {
  publish_to(kDecember + 10);
  EXPECT_FALSE(update(disk.reader()).alarm);
  EXPECT_TRUE(copy.files.contains("segment/2026-11/checkpoint"));
  expect_same_notes();
  publish_to(kFebruary + 300);
  EXPECT_FALSE(update(disk.reader()).alarm);
  EXPECT_TRUE(copy.files.contains("segment/2026-12/checkpoint"));
  EXPECT_TRUE(copy.files.contains("segment/2027-01/checkpoint"));
  expect_same_notes();
  int asked = 0;
  static_cast<void>(update([&](const std::string& path) {
    if (path.starts_with("segment/")) ++asked;
    return disk.read(path);
  }));
  EXPECT_EQ(asked, 1);
}

TEST_F(MirrorOfMonths, TakesThemWhateverStepOfWritingFails) {
  publish_to(kFebruary + 300);
  static_cast<void>(update(disk.reader()));
  auto without = copy.files;
  std::erase_if(without, [](const auto& one) { return one.first.starts_with("segment/"); });
  bool done = false;
  for (int step = 0; !done; ++step) {
    SCOPED_TRACE(step);
    copy.files = without;
    copy.fail_at(step);
    done = update_mirror(disk.reader(), copy, keys, {}).has_value();
    copy.fail_at(-1);
    EXPECT_FALSE(update(disk.reader()).alarm);
    expect_same_notes();
    ASSERT_LT(step, 100);
  }
}

TEST_F(MirrorOfMonths, AlarmsOnNotesThatAreNotTheLogs) {
  publish_to(kFebruary + 300);
  const std::string december = "segment/2026-12/checkpoint";
  MemoryFiles fork_disk;
  LogWriter fork(fork_disk, {key.key}, key.sign);
  auto lines = event_lines(0, parse_checkpoint_text(disk.files[december])->size, kMinutes);
  lines[17] = event_line(18, kMinutes);
  ASSERT_TRUE(fork.publish(lines));
  struct Case {
    std::string path;
    std::optional<std::string> served;
    std::string fault;
  };
  const auto changed = [&](const std::string& path, const std::string& from,
                           const std::string& to) {
    std::string bytes = disk.files[path];
    return bytes.replace(bytes.find(from), from.size(), to);
  };
  const std::string manifest = "segment/2026-12/manifest", latest = "segment/latest";
  const std::vector<Case> cases = {
      {december, std::nullopt, "missing"},
      {december, "nothing signed", "forged signature"},
      {december, changed(december, "\n1045\n", "\n1046\n"), "forged signature"},
      {december, disk.files["segment/2026-11/checkpoint"], "malformed"},
      {december, fork.checkpoint(), "rolled back"},
      {manifest, std::nullopt, "missing"},
      {manifest, disk.files["segment/2026-11/manifest"], "malformed"},
      {manifest, changed(manifest, "previous: 2026-11", "previous: 2026-12"), "malformed"},
      {latest, changed(latest, "previous: 2026-12", "previous: ../../x"), "malformed"},
      {latest, changed(latest, "previous: 2026-12", "previous: "), "malformed"},
      {latest, changed(latest, "vault.example", "other.example"), "malformed"},
      {latest, disk.files[latest] + "more", "malformed"}};
  for (const Case& one : cases) {
    SCOPED_TRACE(one.path + " " + one.served.value_or("none"));
    copy.files.clear();
    const auto report =
        update([&](const std::string& path) -> base::Result<std::optional<std::string>> {
          if (path == one.path) return one.served;
          return disk.read(path);
        });
    ASSERT_TRUE(report.alarm);
    EXPECT_EQ(fault_name(report.alarm->fault), one.fault);
    EXPECT_EQ(report.alarm->file, one.path);
    EXPECT_EQ(report.served->bytes, one.served.value_or(""));
    EXPECT_FALSE(copy.files.contains("checkpoint"));
    EXPECT_FALSE(copy.files.contains(december));
  }
}

TEST_F(MirrorOfMonths, LeavesOutWhatItCantJudge) {
  publish_to(kDecember + 10);
  TestKey unknown;
  MemoryFiles other_disk;
  LogWriter other(other_disk, {unknown.key}, unknown.sign);
  ASSERT_TRUE(other.publish(event_lines(0, kDecember, kMinutes)));
  const std::string checkpoint = disk.files["checkpoint"];
  publish_to(kFebruary + 10);
  // A month that was closed after the checkpoint was read.
  EXPECT_FALSE(update([&](const std::string& path) -> base::Result<std::optional<std::string>> {
                 if (path == "checkpoint") return checkpoint;
                 return disk.read(path);
               }).alarm);
  EXPECT_TRUE(notes(copy).empty());
  disk.files["segment/2026-11/checkpoint"] = other.checkpoint();
  EXPECT_FALSE(update(disk.reader()).alarm);
  EXPECT_FALSE(copy.files.contains("segment/2026-11/checkpoint"));
  EXPECT_TRUE(copy.files.contains("segment/2026-12/checkpoint"));
}

}  // namespace
}  // namespace cardvault::audit
