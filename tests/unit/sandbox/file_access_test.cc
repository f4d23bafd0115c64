#include "vault/sandbox/file_access.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "vault/sandbox/process.h"

namespace cardvault::sandbox {
namespace {

// A folder of the test's with `mine/file` and `other/file`.
class RestrictFilesDeathTest : public testing::Test {
 protected:
  RestrictFilesDeathTest() {
    if (!kConfined) return;
    for (const char* name : {"mine", "other"}) {
      std::filesystem::create_directories(dir_ + "/" + name);
      std::ofstream(dir_ + "/" + name + "/file") << "x";
    }
  }
  ~RestrictFilesDeathTest() override { std::filesystem::remove_all(dir_); }

  void SetUp() override {
    if (!kConfined) GTEST_SKIP() << "nothing is confined in sanitizer builds";
  }

  // Restricted as said, does `act` hold?
  template <typename Act>
  void expect_after(const FileAccess& access, Act act) {
    EXPECT_EXIT(
        {
          if (restrict_files(access) == 0) std::_Exit(3);
          std::_Exit(act() ? 0 : 2);
        },
        testing::ExitedWithCode(0), "");
  }

  static bool denied(const std::string& path, int flags) {
    return ::open(path.c_str(), flags, 0600) < 0 && errno == EACCES;
  }
  static bool opens(const std::string& path, int flags) {
    return ::open(path.c_str(), flags, 0600) >= 0;
  }

  const std::string dir_ =
      testing::TempDir() + "cardvault-restrict-files-" + std::to_string(::getpid());
};

TEST_F(RestrictFilesDeathTest, ReadsWhatIsNamedAndWritesNothing) {
  expect_after({.read = {dir_ + "/mine"}, .load = {}, .write = {}, .connect_ports = {}}, [&] {
    return opens(dir_ + "/mine/file", O_RDONLY) && denied(dir_ + "/mine/file", O_RDWR) &&
           denied(dir_ + "/mine/new", O_CREAT | O_WRONLY) && denied(dir_ + "/other/file", O_RDONLY);
  });
}

TEST_F(RestrictFilesDeathTest, WritesWhereItMayAndMovesBetweenItsFolders) {
  expect_after({.read = {}, .load = {}, .write = {dir_}, .connect_ports = {}}, [&] {
    return opens(dir_ + "/mine/new", O_CREAT | O_WRONLY | O_TRUNC) &&
           ::rename((dir_ + "/mine/new").c_str(), (dir_ + "/other/new").c_str()) == 0 &&
           ::unlink((dir_ + "/other/new").c_str()) == 0;
  });
}

TEST_F(RestrictFilesDeathTest, AFolderThatDoesNotExistIsLeftOut) {
  expect_after({.read = {dir_ + "/none"}, .load = {}, .write = {}, .connect_ports = {}},
               [&] { return denied(dir_ + "/mine/file", O_RDONLY); });
}

TEST_F(RestrictFilesDeathTest, NoTcpButToThePortThatIsNamed) {
  const auto connect_to = [](std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int s = ::socket(AF_INET, SOCK_STREAM, 0);
    ::connect(s, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    return errno;
  };
  EXPECT_EXIT(
      {
        const int abi = restrict_files({.read = {}, .load = {}, .write = {}, .connect_ports = {1}});
        if (abi < 4) std::_Exit(0);  // the kernel's Landlock knows of no ports yet
        std::_Exit(connect_to(2) == EACCES && connect_to(1) == ECONNREFUSED ? 0 : 2);
      },
      testing::ExitedWithCode(0), "");
}

TEST_F(RestrictFilesDeathTest, NoSignalsToOthers) {
  EXPECT_EXIT(
      {
        if (restrict_files({}) < 6) std::_Exit(0);
        std::_Exit(::kill(::getppid(), 0) < 0 && errno == EPERM ? 0 : 2);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace cardvault::sandbox
