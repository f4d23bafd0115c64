#include "vault/sandbox/system_calls.h"

#include <gtest/gtest.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <thread>

#include "vault/base/result.h"
#include "vault/sandbox/process.h"

namespace cardvault::sandbox {
namespace {

void hold_nothing_more() {
  harden_process();
  SystemCalls().hold();
}

TEST(SystemCallsDeathTest, WhatIsNotAllowedKills) {
  if (!kConfined) GTEST_SKIP() << "no filter in sanitizer builds";
  const rlimit limit{1, 1};
  struct Case {
    const char* name;
    std::function<void()> act;
  };
  for (const Case& c :
       {Case{"fork", [] { ::fork(); }}, Case{"socket", [] { ::socket(AF_UNIX, SOCK_STREAM, 0); }},
        Case{"setrlimit", [&] { ::setrlimit(RLIMIT_NOFILE, &limit); }},
        Case{
            "write and execute",
            [] { ::mmap(nullptr, 1, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }},
        Case{"setuid", [] { static_cast<void>(::setuid(0)); }}}) {
    EXPECT_EXIT(
        {
          hold_nothing_more();
          c.act();
          std::_Exit(0);
        },
        testing::KilledBySignal(SIGSYS), "")
        << c.name;
  }
}

TEST(SystemCallsDeathTest, ThreadsMemoryAndItsOwnLimitsStay) {
  EXPECT_EXIT(
      {
        hold_nothing_more();
        rlimit limit{};
        bool ran = false;
        std::thread([&] { ran = ::getrlimit(RLIMIT_NOFILE, &limit) == 0; }).join();
        void* memory =
            ::mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        std::_Exit(ran && memory != MAP_FAILED ? 0 : 2);
      },
      testing::ExitedWithCode(0), "");
}

TEST(SystemCallsDeathTest, AFamilyOfSocketsCanBeAllowedAlone) {
  if (!kConfined) GTEST_SKIP() << "no filter in sanitizer builds";
  const auto with = [](int family) {
    harden_process();
    SystemCalls calls;
    calls.allow_if(SCMP_SYS(socket), 0, 0xffffffff, AF_UNIX);
    calls.hold();
    std::_Exit(::socket(family, SOCK_STREAM, 0) >= 0 ? 0 : 2);
  };
  EXPECT_EXIT(with(AF_UNIX), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(with(AF_INET), testing::KilledBySignal(SIGSYS), "");
}

TEST(SystemCalls, ANameThatIsNoneIsRefused) {
  SystemCalls calls;
  calls.allow("shmget");
  EXPECT_THROW(calls.allow("shmgett"), base::StartupError);
}

}  // namespace
}  // namespace cardvault::sandbox
