// What a module's folder is before, during and after a change in place, whoever makes it.
#include "provisioning/writable_folder.h"

#include <grp.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "provisioning/exit_code.h"

namespace cardvault::provisioning {
namespace {

namespace fs = std::filesystem;

constexpr std::array kFiles{"cert9.db", "key4.db", "pkcs11.txt"};

class WritableFolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "cardvault-nss-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    dir_ = name;
    for (const char* file : kFiles) {
      std::ofstream(dir_ / file) << file;
      fs::permissions(dir_ / file, fs::perms(0400));
    }
    fs::permissions(dir_, fs::perms(0500));
    if (::geteuid() == 0) own_all(kKeeper);
  }
  void TearDown() override {
    fs::permissions(dir_, fs::perms(0700));
    fs::remove_all(dir_);
  }
  void own_all(uid_t uid) {
    ASSERT_EQ(::chown(dir_.c_str(), uid, uid), 0);
    for (const char* file : kFiles) ASSERT_EQ(::chown((dir_ / file).c_str(), uid, uid), 0);
  }
  [[nodiscard]] unsigned mode(const char* file = ".") const {
    return static_cast<unsigned>(fs::status(dir_ / file).permissions());
  }
  void expect_closed() const {
    EXPECT_EQ(mode(), 0500U);
    for (const char* file : kFiles) EXPECT_EQ(mode(file), 0400U) << file;
  }
  // Runs `work` in a process of its own, as an account that isn't root; true: it returned true.
  static bool in_child(const std::function<bool()>& work, uid_t uid = kKeeper) {
    const pid_t child = ::fork();
    if (child == 0) {
      if (::geteuid() == 0 &&
          (::setgroups(0, nullptr) != 0 || ::setgid(uid) != 0 || ::setuid(uid) != 0)) {
        ::_exit(3);
      }
      ::umask(077);
      bool good = false;
      try {
        good = work();
      } catch (const std::exception&) {
        ::_exit(2);
      }
      ::_exit(good ? 0 : 1);
    }
    int status = -1;
    return ::waitpid(child, &status, 0) == child && status == 0;
  }
  static bool refuses(const fs::path& folder, const std::string& what) {
    try {
      const WritableFolder writable(folder);
    } catch (const ToolError& problem) {
      return std::string(problem.what()).find(what) != std::string::npos;
    }
    return false;
  }
  static constexpr uid_t kKeeper = 61001, kStranger = 61002;
  fs::path dir_;
};

TEST_F(WritableFolderTest, IsOpenForItsOwnerWhileItLives) {
  EXPECT_TRUE(in_child([&] {
    const WritableFolder writable(dir_);
    std::ofstream(dir_ / "key4.db-journal") << "made";
    fs::remove(dir_ / "key4.db-journal");
    return mode() == 0700U && mode("key4.db") == 0600U && mode("cert9.db") == 0600U;
  }));
  expect_closed();
}

TEST_F(WritableFolderTest, LeftOpenByAKillItsFilesAreClosedByTheNextChange) {
  EXPECT_TRUE(in_child([&] {
    const auto* left = new WritableFolder(dir_);  // the process ends without it
    return left != nullptr;
  }));
  EXPECT_EQ(mode("key4.db"), 0600U);
  EXPECT_TRUE(in_child([&] {
    const WritableFolder writable(dir_);
    return true;
  }));
  for (const char* file : kFiles) EXPECT_EQ(mode(file), 0400U) << file;
}

TEST_F(WritableFolderTest, AnotherAccountIsToldSoAndChangesNothing) {
  if (::geteuid() != 0) GTEST_SKIP() << "becomes another account";
  EXPECT_TRUE(in_child([&] { return refuses(dir_, "Permission denied"); }, kStranger));
  fs::permissions(dir_, fs::perms(0755));  // one who may read
  EXPECT_TRUE(in_child([&] { return refuses(dir_, "run this as root"); }, kStranger));
  fs::permissions(dir_, fs::perms(0500));
  expect_closed();
}

TEST_F(WritableFolderTest, WhatIsNotAllItsOwnersIsPutBackAsItWas) {
  if (::geteuid() != 0) GTEST_SKIP() << "gives a file away";
  ASSERT_EQ(::chown((dir_ / "pkcs11.txt").c_str(), 0, 0), 0);  // as an editor of root's leaves it
  EXPECT_TRUE(in_child([&] { return refuses(dir_, "pkcs11.txt can't be written"); }));
  expect_closed();
}

TEST_F(WritableFolderTest, AFileSystemThatIsReadOnlyIsSaidToRootToo) {
  if (::geteuid() != 0) GTEST_SKIP() << "mounts";
  const auto mounted = [&] {
    const char* path = dir_.c_str();
    return ::unshare(CLONE_NEWNS) == 0 &&
           ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           ::mount(path, path, nullptr, MS_BIND, nullptr) == 0 &&
           ::mount("none", path, nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) == 0;
  };
  if (!in_child(mounted, 0)) GTEST_SKIP() << "may not mount";
  EXPECT_TRUE(in_child([&] { return mounted() && refuses(dir_, "Read-only file system"); }, 0));
}

TEST_F(WritableFolderTest, AFolderThatIsGoneIsNamed) {
  EXPECT_TRUE(in_child([&] { return refuses(dir_ / "nss", "nss: No such file or directory"); }));
}

}  // namespace
}  // namespace cardvault::provisioning
