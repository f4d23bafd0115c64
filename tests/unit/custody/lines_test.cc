#include "vault/custody/lines.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/custody/custody_fixture.h"

namespace cardvault::custody {
namespace {

using testing::refusal;
using testing::spill;
using testing::TempDir;

std::string why_unreadable(const std::string& path) {
  return refusal([&] { static_cast<void>(read_text_file(path)); });
}

TEST(ReadTextFile, NamesTheReasonAndWhatToDo) {
  const TempDir dir;
  spill(dir / "empty", "");
  spill(dir / "large", std::string((1U << 20U) + 1, 'x'));
  spill(dir / "largest", std::string(1U << 20U, 'x'));
  const struct {
    const char *name, *reason;
  } cases[] = {{"missing", "there is no such file: put it back from its copy"},
               {"empty", "it is empty: put it back from its copy"},
               {"large", "it is larger than 1 MiB"},
               {"", "it can't be read: Is a directory"}};
  for (const auto& one : cases) {
    const std::string path = dir / one.name;
    EXPECT_EQ(why_unreadable(path).find(path + ": " + one.reason), 0U) << why_unreadable(path);
  }
  EXPECT_EQ(read_text_file(dir / "largest").size(), 1U << 20U);
}

TEST(ReadTextFile, SaysWhichAccountMayNotReadIt) {
  const TempDir dir;
  spill(dir / "closed", "a: b\n");
  ASSERT_EQ(::chmod((dir / "closed").c_str(), 0), 0);
  ASSERT_EQ(::chmod(dir.path().c_str(), 0755), 0);
  const uid_t before = ::geteuid();
  if (before == 0) {
    ASSERT_EQ(::seteuid(61001), 0);  // root reads all
  }
  const std::string expected =
      "permission denied for uid " + std::to_string(::geteuid()) + ": let that account read it";
  const std::string found = why_unreadable(dir / "closed");
  ASSERT_EQ(::seteuid(before), 0);
  EXPECT_NE(found.find(expected), std::string::npos) << found;
}

}  // namespace
}  // namespace cardvault::custody
