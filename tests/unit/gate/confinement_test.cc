#include "protocol/gate/confinement.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <thread>

#include "protocol/gate/sockets.h"
#include "vault/base/result.h"
#include "vault/sandbox/process.h"

namespace cardvault::gate {
namespace {

TEST(ConfineDeathTest, ATakenGateCannotReachOut) {
  if (!sandbox::kConfined) GTEST_SKIP() << "no filter in sanitizer builds";
  struct Case {
    const char* name;
    std::function<void()> act;
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto* to = reinterpret_cast<const sockaddr*>(&address);
  char* const no_arguments[] = {nullptr};
  for (const Case& c :
       {Case{"socket", [] { ::socket(AF_INET, SOCK_STREAM, 0); }},
        Case{"unix socket", [] { ::socket(AF_UNIX, SOCK_STREAM, 0); }},
        Case{"connect", [&] { ::connect(0, to, sizeof(address)); }},
        Case{"bind", [&] { ::bind(0, to, sizeof(address)); }},
        Case{"sendto", [&] { ::sendto(0, "x", 1, 0, to, sizeof(address)); }},
        Case{"sendmsg", [] { ::sendmsg(0, nullptr, 0); }},
        Case{"execve", [&] { ::execve("/bin/true", no_arguments, no_arguments); }},
        Case{"fork", [] { ::fork(); }}, Case{"ptrace", [] { ::ptrace(PTRACE_TRACEME); }},
        Case{"another's memory", [] { ::process_vm_readv(1, nullptr, 0, nullptr, 0, 0); }},
        Case{"kill", [] { ::kill(1, 0); }},
        Case{"open for writing", [] { ::open("/dev/null", O_WRONLY); }},
        Case{"create", [] { ::open("/tmp/x", O_RDONLY | O_CREAT, 0600); }},
        Case{"unlink", [] { ::unlink("/tmp/x"); }},
        Case{"new code", [] { ::mmap(nullptr, 1, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }},
        Case{"io_uring", [] { ::syscall(SYS_io_uring_setup, 1, nullptr); }}}) {
    EXPECT_EXIT(
        {
          sandbox::harden_process();
          confine({});
          c.act();
          std::_Exit(0);
        },
        testing::KilledBySignal(SIGSYS), "")
        << c.name;
  }
}

TEST(ConfineDeathTest, ReadingItsFilesAndSendingOnItsSocketsStayAllowed) {
  EXPECT_EXIT(
      {
        int pair[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) std::_Exit(1);
        sandbox::harden_process();
        confine({"/usr/share"});
        std::thread([&] { ::send(pair[0], "x", 1, MSG_NOSIGNAL); }).join();
        char got = 0;
        const bool sent = ::read(pair[1], &got, 1) == 1 && got == 'x';
        const bool opened = ::open("/usr/share/doc", O_RDONLY | O_DIRECTORY) >= 0;
        std::_Exit(sent && opened ? 0 : 2);
      },
      testing::ExitedWithCode(0), "");
}

TEST(ConfineDeathTest, OtherFilesAreClosedForRootToo) {
  EXPECT_EXIT(
      {
        confine({"/usr/share"});
        const bool closed = ::open("/etc/hostname", O_RDONLY) < 0 && errno == EACCES;
        std::_Exit(closed || !sandbox::kConfined ? 0 : 2);
      },
      testing::ExitedWithCode(0), "");
}

TEST(InheritSockets, SaysWhatToDoWithoutAny) {
  ::unsetenv("LISTEN_PID");
  EXPECT_THROW(static_cast<void>(inherit_sockets()), base::StartupError);
  ::setenv("LISTEN_PID", "1", 1);  // passed to another process
  ::setenv("LISTEN_FDS", "2", 1);
  EXPECT_THROW(static_cast<void>(inherit_sockets()), base::StartupError);
  EXPECT_EQ(std::getenv("LISTEN_FDS"), nullptr) << "not handed on";
}

}  // namespace
}  // namespace cardvault::gate
