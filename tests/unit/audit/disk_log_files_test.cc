#include "vault/audit/disk_log_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/audit/memory_log.h"

namespace cardvault::audit {
namespace {

namespace fs = std::filesystem;

class DiskFiles : public testing::Test {
 protected:
  DiskFiles() {
    std::string name = (fs::temp_directory_path() / "cardvault-log-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    dir = name;
    ::umask(0077);
  }
  ~DiskFiles() override { fs::remove_all(dir); }
  [[nodiscard]] std::size_t count_files() const {
    std::size_t count = 0;
    for (const auto& one : fs::recursive_directory_iterator(dir)) count += one.is_regular_file();
    return count;
  }
  fs::path dir;
};

TEST_F(DiskFiles, GivesBackWhatIsPut) {
  DiskLogFiles files(dir);
  EXPECT_EQ(files.read("tile/0/000").value(), std::nullopt);
  ASSERT_TRUE(files.put("tile/0/x001/000.p/7", "seven"));
  ASSERT_TRUE(files.sync());
  EXPECT_EQ(files.read("tile/0/x001/000.p/7").value(), "seven");
  ASSERT_TRUE(files.put("tile/0/x001/000.p/8", "a try that was broken off"));
  ASSERT_TRUE(files.put("tile/0/x001/000.p/8", "eight"));
  ASSERT_TRUE(files.sync());
  EXPECT_EQ(files.read("tile/0/x001/000.p/8").value(), "eight");
  EXPECT_EQ(count_files(), 2U);
}

TEST_F(DiskFiles, AReplacedFileIsTheOldOrTheNewOne) {
  DiskLogFiles files(dir);
  ASSERT_TRUE(files.replace("checkpoint", "old"));
  std::ifstream reader(dir / "checkpoint");
  ASSERT_TRUE(files.replace("checkpoint", "new"));
  std::string seen;
  std::getline(reader, seen);
  EXPECT_EQ(seen, "old");  // whoever had opened it reads on in the old one
  EXPECT_EQ(files.read("checkpoint").value(), "new");
  EXPECT_EQ(count_files(), 1U);
}

TEST_F(DiskFiles, OwnerAndGroupMayReadAndNobodyElse) {
  DiskLogFiles files(dir);
  ASSERT_TRUE(files.put("tile/entries/000", "x"));
  ASSERT_TRUE(files.sync());
  const auto mode = [&](const char* path) {
    return static_cast<unsigned>(fs::status(dir / path).permissions());
  };
  EXPECT_EQ(mode("tile/entries/000"), 0640U);
  EXPECT_EQ(mode("tile/entries"), 0750U);
  EXPECT_EQ(mode("tile"), 0750U);
}

TEST_F(DiskFiles, ManyFilesAtOnceAndLargeOnes) {
  DiskLogFiles files(dir);
  const std::string large(5 << 20, 'x');
  ASSERT_TRUE(files.put("large", large));
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(files.put("tile/" + std::to_string(i), "x"));
  ASSERT_TRUE(files.sync());
  EXPECT_EQ(files.read("large").value(), large);
  EXPECT_EQ(files.read("tile/299").value(), "x");
  EXPECT_EQ(count_files(), 301U);
}

TEST_F(DiskFiles, AFolderGoesWithItsFiles) {
  DiskLogFiles files(dir);
  ASSERT_TRUE(files.put("tile/0/000.p/1", "x"));
  ASSERT_TRUE(files.put("tile/0/000.p/2", "x"));
  ASSERT_TRUE(files.sync());
  ASSERT_TRUE(files.remove_folder("tile/0/000.p"));
  EXPECT_FALSE(fs::exists(dir / "tile/0/000.p"));
  EXPECT_TRUE(files.remove_folder("tile/0/000.p"));
  ASSERT_TRUE(files.put("tile/0/000.p/3", "x"));
  EXPECT_TRUE(files.sync());
}

TEST_F(DiskFiles, AFailureIsAnErrorAndLaterAllIsWell) {
  DiskLogFiles files(dir);
  fs::create_directory(dir / "checkpoint");  // nothing can be moved there
  EXPECT_EQ(files.replace("checkpoint", "x").error().code, base::Code::kStoreFailed);
  EXPECT_EQ(count_files(), 0U);
  fs::remove(dir / "checkpoint");
  std::ofstream(dir / "tile") << "a file";
  EXPECT_EQ(files.put("tile/0/000", "x").error().code, base::Code::kStoreFailed);
  fs::remove(dir / "tile");
  ASSERT_TRUE(files.put("tile/0/000", "x"));
  ASSERT_TRUE(files.sync());
  ASSERT_TRUE(files.put("tile/0/001", "x"));
  fs::remove_all(dir / "tile");  // before it was synced
  EXPECT_EQ(files.sync().error().code, base::Code::kStoreFailed);
  EXPECT_FALSE(files.put("tile/0/001", "x"));
  ASSERT_TRUE(files.put("tile/0/001", "x"));
  EXPECT_TRUE(files.sync());
  EXPECT_TRUE(files.replace("checkpoint", "x"));
  EXPECT_EQ(count_files(), 2U);
}

TEST_F(DiskFiles, WhatIsNoFileCannotBeRead) {
  fs::create_directory(dir / "checkpoint");
  DiskLogFiles files(dir);
  EXPECT_EQ(files.read("checkpoint").error().code, base::Code::kStoreFailed);
  ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(files.read("pipe").error().code, base::Code::kStoreFailed);  // and does not wait
  EXPECT_EQ(files.read("checkpoint/inside").value(), std::nullopt);
  EXPECT_EQ(files.read("pipe/inside").value(), std::nullopt);
}

TEST_F(DiskFiles, OfAFileTooLargeForALogOnlyABeginningIsRead) {
  std::ofstream(dir / "huge") << "x";
  fs::resize_file(dir / "huge", std::uintmax_t{1} << 40);
  DiskLogFiles files(dir);
  const auto read = files.read("huge");
  ASSERT_TRUE(read);
  EXPECT_GT((*read)->size(), std::size_t{256} * (2 + kMaxEntryBytes));
  EXPECT_LT((*read)->size(), std::size_t{32} << 20);
}

TEST_F(DiskFiles, AMissingFolderIsNamed) {
  EXPECT_THROW(DiskLogFiles((dir / "nowhere").string()), base::StartupError);
}

TEST_F(DiskFiles, ClosedFoldersHaveTheTilesThatWereMovedAway) {
  const fs::path live = dir / "live", one = dir / "one", two = dir / "two";
  for (const fs::path& folder : {live, one, two}) fs::create_directories(folder / "tile" / "0");
  std::ofstream(one / "tile/0/000") << "first";
  std::ofstream(two / "tile/0/001") << "second";
  std::ofstream(two / "checkpoint") << "an old one";
  DiskLogFiles files(live, {one, two});
  ASSERT_TRUE(files.put("tile/0/001", "live"));
  EXPECT_EQ(files.read("tile/0/000").value(), "first");
  EXPECT_EQ(files.read("tile/0/001").value(), "live");
  EXPECT_EQ(files.read("tile/0/002").value(), std::nullopt);
  EXPECT_EQ(files.read("checkpoint").value(), std::nullopt);
  EXPECT_THROW(DiskLogFiles(live, {one, dir / "not mounted"}), base::StartupError);
}

TEST_F(DiskFiles, HoldsAWholeLog) {
  TestKey key;
  DiskLogFiles files(dir);
  LogWriter writer(files, {key.key}, key.sign);
  ASSERT_EQ(writer.open({}), std::nullopt);
  for (const std::uint64_t size : {3, 256, 1000}) {
    ASSERT_TRUE(writer.publish(event_lines(writer.size(), size)));
  }
  DiskLogFiles again(dir);
  LogWriter other(again, {key.key}, key.sign);
  ASSERT_EQ(other.open({}), std::nullopt);
  ASSERT_TRUE(other.publish(event_lines(1000, 1100)));
  const auto report = verify_log([&](const std::string& path) { return again.read(path); }, key.key,
                                 {{"kept", writer.checkpoint()}}, {.threads = 2, .progress = {}});
  EXPECT_TRUE(report.findings.empty());
  EXPECT_EQ(report.checkpoint.size, 1100U);
}

}  // namespace
}  // namespace cardvault::audit
