#include "protocol/gate/hardening.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <functional>

#include "protocol/gate/sockets.h"
#include "vault/base/result.h"

namespace cardvault::gate {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kFiltered = false;
#else
constexpr bool kFiltered = true;
#endif

TEST(ForbidSystemCallsDeathTest, ATakenGateCannotReachOut) {
  if (!kFiltered) GTEST_SKIP() << "no filter in sanitizer builds";
  struct Case {
    const char* name;
    std::function<void()> act;
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto* to = reinterpret_cast<const sockaddr*>(&address);
  char* const no_arguments[] = {nullptr};
  for (const Case& c : {Case{"socket", [] { ::socket(AF_INET, SOCK_STREAM, 0); }},
                        Case{"connect", [&] { ::connect(0, to, sizeof(address)); }},
                        Case{"sendto", [&] { ::sendto(0, "x", 1, 0, to, sizeof(address)); }},
                        Case{"execve", [&] { ::execve("/bin/true", no_arguments, no_arguments); }},
                        Case{"open for writing", [] { ::open("/dev/null", O_WRONLY); }},
                        Case{"create", [] { ::open("/tmp/x", O_RDONLY | O_CREAT, 0600); }}}) {
    EXPECT_EXIT(
        {
          harden_process();
          forbid_system_calls();
          c.act();
          std::_Exit(0);
        },
        testing::KilledBySignal(SIGSYS), "")
        << c.name;
  }
}

TEST(ForbidSystemCallsDeathTest, ReadingFilesAndSendingOnConnectedSocketsStayAllowed) {
  EXPECT_EXIT(
      {
        int pair[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) std::_Exit(1);
        harden_process();
        forbid_system_calls();
        const bool sent = ::send(pair[0], "x", 1, MSG_NOSIGNAL) == 1;
        const bool opened = ::open("/proc/self/status", O_RDONLY) >= 0;
        std::_Exit(sent && opened ? 0 : 2);
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
