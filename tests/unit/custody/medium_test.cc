#include "vault/custody/medium.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace cardvault::custody {
namespace {

class AppendedLine : public testing::Test {
 protected:
  AppendedLine() : folder_(testing::TempDir() + "/appended-" + std::to_string(::getpid())) {
    std::filesystem::create_directories(folder_);
  }
  ~AppendedLine() override { std::filesystem::remove_all(folder_); }
  [[nodiscard]] std::string text() const {
    std::ostringstream out;
    out << std::ifstream(path()).rdbuf();
    return out.str();
  }
  [[nodiscard]] std::string path() const { return folder_ + "/log"; }

 private:
  std::string folder_;
};

TEST_F(AppendedLine, IsAfterThoseThatAreThere) {
  EXPECT_EQ(append_line(path(), "one"), 0);
  EXPECT_EQ(append_line(path(), "two"), 0);
  EXPECT_EQ(text(), "one\ntwo\n");
}

TEST_F(AppendedLine, IsForAllToRead) {
  const mode_t before = ::umask(077);
  EXPECT_EQ(append_line(path(), "one"), 0);
  ::umask(before);
  struct stat status{};
  ASSERT_EQ(::stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0644U);
}

TEST_F(AppendedLine, IsNoPartOfATornOne) {
  std::ofstream(path()) << "one\nto";
  EXPECT_EQ(append_line(path(), "two"), 0);
  EXPECT_EQ(text(), "one\nto\ntwo\n");
}

TEST_F(AppendedLine, IsThereWholeOrNotAtAll) {
  ASSERT_EQ(append_line(path(), "one"), 0);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{6, before.rlim_max};  // two bytes more, as on a disk that is full then
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  EXPECT_EQ(append_line(path(), "two"), EFBIG);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, old);
  EXPECT_EQ(text(), "one\n");
}

TEST_F(AppendedLine, OfAnotherIsNotCutOffByOneThatFails) {
  ASSERT_EQ(append_line(path(), "first"), 0);
  const pid_t other = ::fork();
  if (other == 0) {
    const rlimit small{1, 1};  // its disk is full, always
    ::signal(SIGXFSZ, SIG_IGN);
    if (::setrlimit(RLIMIT_FSIZE, &small) != 0) ::_exit(1);
    while (append_line(path(), "never") == EFBIG) {
    }
    ::_exit(2);
  }
  constexpr int kLines = 200;
  std::string all = "first\n";
  for (int i = 0; i < kLines; ++i) {
    EXPECT_EQ(append_line(path(), std::to_string(i)), 0);
    all += std::to_string(i) + "\n";
  }
  EXPECT_EQ(::waitpid(other, nullptr, WNOHANG), 0) << "it wrote";
  ::kill(other, SIGKILL);
  ::waitpid(other, nullptr, 0);
  EXPECT_EQ(text(), all);
}

TEST_F(AppendedLine, SaysWhyNot) {
  EXPECT_EQ(append_line(path() + "/below", "one"), ENOENT);
  std::filesystem::create_symlink(path(), path() + ".link");
  EXPECT_EQ(append_line(path() + ".link", "one"), ELOOP);
}

}  // namespace
}  // namespace cardvault::custody
