// The exchange of a token's folder, and what it makes of each state that a kill can leave.
#include "provisioning/key_exchange.h"
#include "hsm/softhsm_conf.h"

#include <grp.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "provisioning/exit_code.h"
#include "provisioning/key_folder_files.h"
#include "provisioning/key_token_folder.h"

namespace cardvault::provisioning {
namespace {

namespace fs = std::filesystem;

const TokenChangeNote kNote{"make", "pan-enc/2", "AES-256", "0102030405", "CMAC"};

class TokenExchangeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "cardvault-exchange-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    dir_ = name;
    fs::create_directories(token() / "one");
    write(token() / "one" / "key.object", "first");
    fs::permissions(token() / "one" / "key.object", fs::perms(0400));
    fs::permissions(token(), fs::perms(0700));
  }
  void TearDown() override { fs::remove_all(dir_); }
  [[nodiscard]] fs::path token() const { return dir_ / "token"; }
  [[nodiscard]] fs::path change() const { return dir_ / "token.change"; }
  static void write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }
  static std::string read(const fs::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  [[nodiscard]] std::string live() const { return read(token() / "one" / "key.object"); }
  // Copies, adds to the copy, exchanges.
  static void make(TokenExchange& exchange) {
    const fs::path copy = exchange.stage();
    write(copy / "one" / "second.object", "second");
    exchange.exchange(kNote);
  }
  [[nodiscard]] bool has_second() const { return fs::exists(token() / "one" / "second.object"); }
  fs::path dir_;
};

TEST_F(TokenExchangeTest, TheChangedCopyIsLiveAndTheOldTokenKeptUntilConfirmed) {
  TokenExchange exchange(token());
  EXPECT_FALSE(exchange.unfinished());
  make(exchange);
  EXPECT_TRUE(has_second());
  EXPECT_EQ(live(), "first");
  ASSERT_TRUE(exchange.unfinished());
  EXPECT_EQ(read(change() / "token" / "one" / "key.object"), "first");
  EXPECT_FALSE(fs::exists(change() / "token" / "one" / "second.object"));
  exchange.confirm();
  EXPECT_FALSE(fs::exists(change()));
  EXPECT_TRUE(has_second());
}

TEST_F(TokenExchangeTest, TheCopyGetsTheModesOfTheLiveToken) {
  TokenExchange exchange(token());
  make(exchange);
  for (const char* name : {"key.object", "second.object"}) {
    EXPECT_EQ(fs::status(token() / "one" / name).permissions(), fs::perms(0400)) << name;
  }
  EXPECT_EQ(fs::status(token()).permissions(), fs::perms(0700));
}

// SoftHSM takes what follows a # for a comment, and blanks anywhere (softhsm2.conf(5)).
TEST_F(TokenExchangeTest, TheFolderIsReadAsSoftHsmReadsIt) {
  const fs::path conf = dir_ / "softhsm2.conf";
  for (const char* line : {"directories.tokendir = /a b/token", "directories.tokendir=/a b/token\r",
                           "\t directories.tokendir =/a b/token\t # since the move"}) {
    write(conf, std::string("# directories.tokendir = /old\n") + line + "\nlog.level = ERROR\n");
    EXPECT_EQ(hsm::folder_of_softhsm_conf(conf), "/a b/token") << line;
  }
  write(conf, "# directories.tokendir = /old\n");
  EXPECT_EQ(hsm::folder_of_softhsm_conf(conf), "");
}

// A key that an administrator adds by hand is the account's that did it.
TEST_F(TokenExchangeTest, TheCopyIsReadByWhoReadsTheTokenWhateverLiesBesideIt) {
  for (int i = 0; i < 20; ++i) {  // one of them comes first, in whatever order the folder is read
    write(token() / "one" / ("by-hand-" + std::to_string(i)), "");
    fs::permissions(token() / "one" / ("by-hand-" + std::to_string(i)), fs::perms(0600));
  }
  write(token() / "one" / "token.object", "");
  fs::permissions(token() / "one" / "token.object", fs::perms(0440));
  TokenExchange exchange(token());
  make(exchange);
  for (const char* name : {"token.object", "key.object", "second.object", "by-hand-7"}) {
    EXPECT_EQ(fs::status(token() / "one" / name).permissions(), fs::perms(0440)) << name;
  }
}

// Runs `work` in a process of its own, which it may change; true: it returned true.
bool in_child(const std::function<bool()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      ::_exit(work() ? 0 : 1);
    } catch (const std::exception&) {
      ::_exit(2);
    }
  }
  int status = -1;
  return ::waitpid(child, &status, 0) == child && status == 0;
}

// The daemon may read the token by its group alone.
TEST_F(TokenExchangeTest, TheCopyHasTheTokensGroupWhoeverMakesIt) {
  if (::geteuid() != 0) GTEST_SKIP() << "becomes another account";
  constexpr uid_t kKeeper = 61001;
  constexpr gid_t kDaemons = 61009;
  fs::permissions(token(), fs::perms(0750));
  fs::permissions(token() / "one" / "key.object", fs::perms(0440));
  ASSERT_EQ(::chown(dir_.c_str(), kKeeper, kKeeper), 0);
  for (const fs::path& path : {token(), token() / "one", token() / "one" / "key.object"}) {
    ASSERT_EQ(::chown(path.c_str(), kKeeper, kDaemons), 0);
  }
  EXPECT_TRUE(in_child([&] {
    if (::setgroups(1, &kDaemons) != 0 || ::setgid(kKeeper) != 0 || ::setuid(kKeeper) != 0) {
      return false;
    }
    TokenExchange exchange(token());
    make(exchange);
    return true;
  }));
  for (const fs::path& path : {token(), token() / "one", token() / "one" / "second.object"}) {
    struct stat status{};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_gid, kDaemons) << path;
  }
}

TEST_F(TokenExchangeTest, AMountPointIsRefusedBeforeAnythingIsMade) {
  if (::geteuid() != 0) GTEST_SKIP() << "mounts";
  const auto mounted = [&] {
    return ::unshare(CLONE_NEWNS) == 0 &&
           ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           ::mount(token().c_str(), token().c_str(), nullptr, MS_BIND, nullptr) == 0;
  };
  if (!in_child(mounted)) GTEST_SKIP() << "may not mount";
  EXPECT_TRUE(in_child([&] {
    if (!mounted()) return false;
    try {
      const TokenExchange exchange(token());
    } catch (const ToolError& problem) {
      return std::string(problem.what()).find("is a mount point") != std::string::npos;
    }
    return false;
  }));
}

TEST_F(TokenExchangeTest, WhatIsNoFolderUnderTheCopysNameIsSaidAndLeft) {
  for (const bool link : {false, true}) {
    if (link) {
      fs::create_symlink(token(), change());
    } else {
      write(change(), "notes of the last change");
    }
    try {
      const TokenExchange exchange(token());
      ADD_FAILURE() << "taken for a copy";
    } catch (const ToolError& problem) {
      EXPECT_NE(std::string(problem.what()).find("token.change is no folder"), std::string::npos)
          << problem.what();
    }
    EXPECT_TRUE(fs::remove(change()));
    EXPECT_EQ(live(), "first");
  }
}

TEST_F(TokenExchangeTest, TakenBackItIsAsItWas) {
  TokenExchange exchange(token());
  make(exchange);
  exchange.take_back();
  EXPECT_FALSE(has_second());
  EXPECT_EQ(live(), "first");
  EXPECT_FALSE(fs::exists(change()));
  make(exchange);  // and it can be tried again
  EXPECT_TRUE(has_second());
}

TEST_F(TokenExchangeTest, ACopyWithoutItsNoteIsThrownAway) {
  {
    static_cast<void>(TokenExchange(token()).stage());
  }
  ASSERT_TRUE(fs::exists(change()));
  const TokenExchange next(token());
  EXPECT_TRUE(next.rolled_back());
  EXPECT_FALSE(next.unfinished());
  EXPECT_FALSE(fs::exists(change()));
  EXPECT_EQ(live(), "first");
}

TEST_F(TokenExchangeTest, ANotedCopyThatIsNotExchangedIsThrownAway) {
  {
    TokenExchange exchange(token());
    static_cast<void>(exchange.stage());
  }
  write(change() / "note", "make\npan-enc/2\nAES-256\n0102030405\nCMAC\n");
  const TokenExchange next(token());
  EXPECT_TRUE(next.rolled_back());
  EXPECT_FALSE(next.unfinished());
  EXPECT_EQ(live(), "first");
}

TEST_F(TokenExchangeTest, AnExchangedChangeIsFoundByTheNextProcess) {
  {
    TokenExchange exchange(token());
    make(exchange);
  }
  TokenExchange next(token());
  EXPECT_FALSE(next.rolled_back());
  ASSERT_TRUE(next.unfinished());
  EXPECT_EQ(next.unfinished()->label, kNote.label);
  EXPECT_EQ(next.unfinished()->kcv, kNote.kcv);
  next.take_back();
  EXPECT_FALSE(has_second());
}

TEST_F(TokenExchangeTest, AWipeThatWasBrokenOffIsFinished) {
  {
    TokenExchange exchange(token());
    make(exchange);
  }
  write(change() / "done", "");
  wipe_folder(change() / "token" / "one");  // half of it
  const TokenExchange next(token());
  EXPECT_FALSE(next.rolled_back());
  EXPECT_FALSE(next.unfinished());
  EXPECT_FALSE(fs::exists(change()));
  EXPECT_TRUE(has_second());
}

// The copy's generation goes with it: half thrown away it must not look like an old token.
TEST_F(TokenExchangeTest, ARollBackThatWasBrokenOffIsNeverTakenForAnExchange) {
  {
    TokenExchange exchange(token());
    make(exchange);
    exchange.confirm();
  }
  {
    static_cast<void>(TokenExchange(token()).stage());
  }
  fs::remove(change() / "token" / "generation");
  fs::remove_all(change() / "token" / "one");
  const TokenExchange next(token());
  EXPECT_FALSE(next.unfinished());
  EXPECT_TRUE(has_second());
  EXPECT_EQ(live(), "first");
}

TEST_F(TokenExchangeTest, OneAtATime) {
  const TokenExchange first(token());
  EXPECT_THROW(TokenExchange second(token()), ToolError);
}

// Every step of a change, cut off at a random moment by a kill: the token is one of the two.
TEST_F(TokenExchangeTest, KilledAtAnyMomentTheTokenIsOneOrTheOther) {
  std::srand(7);
  for (int round = 0; round < 60; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        TokenExchange exchange(token());
        if (exchange.unfinished()) exchange.confirm();
        const fs::path copy = exchange.stage();
        write(copy / "one" / ("more" + std::to_string(round)), "more");
        exchange.exchange(kNote);
        if (round % 3 == 0) exchange.take_back();
        if (round % 3 == 1) exchange.confirm();
      } catch (const std::exception&) {
        ::_exit(1);
      }
      ::_exit(0);
    }
    ::usleep(static_cast<useconds_t>(std::rand() % 4000));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    ASSERT_EQ(live(), "first") << "round " << round;
    ASSERT_TRUE(fs::exists(token() / "one"));
  }
  TokenExchange last(token());
  if (last.unfinished()) last.confirm();
  EXPECT_FALSE(fs::exists(change()));
}

TEST(TokenFolder, ComesFromSoftHsmsConfiguration) {
  const std::string conf =
      (fs::temp_directory_path() / ("cardvault-softhsm-" + std::to_string(::getpid()))).string();
  std::ofstream(conf)
      << "# tokens\nobjectstore.backend = file\ndirectories.tokendir =  /some/where \n";
  EXPECT_EQ(hsm::folder_of_softhsm_conf(conf), "/some/where");
  fs::remove(conf);
  EXPECT_EQ(hsm::folder_of_softhsm_conf(conf), "");
  hsm::TokenConfig other;
  other.module = "/usr/lib/libCryptoki2.so";
  EXPECT_EQ(token_folder(other), "") << "changed in place";
}

TEST(TokenFolder, InitArgsWithoutReadOnly) {
  const std::pair<const char*, const char*> cases[] = {
      {"configdir='sql:/d' flags=readOnly", "configdir='sql:/d' flags=''"},
      {"flags=readOnly configdir='sql:/d'", "flags='' configdir='sql:/d'"},
      {"configdir='sql:/d' flags='readOnly' x=1", "configdir='sql:/d' flags='' x=1"},
      {"configdir='sql:/d' flags=optimizeSpace,readOnly x=1",
       "configdir='sql:/d' flags=optimizeSpace x=1"},
      {"configdir='sql:/d' flags='readOnly,optimizeSpace'",
       "configdir='sql:/d' flags='optimizeSpace'"},
      {"configdir='sql:/d'", "configdir='sql:/d'"}};
  for (const auto& [with, without] : cases) EXPECT_EQ(writable_init_args(with), without);
}

}  // namespace
}  // namespace cardvault::provisioning
