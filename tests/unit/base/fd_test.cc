#include "vault/base/fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace cardvault::base {
namespace {

// What of 0, 1 and 2 a process lacks must not become the file that it opens next.
TEST(Fd, AClosedStandardDescriptorIsNoOtherFiles) {
  for (int closed = 1; closed < 8; ++closed) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      for (int fd = 0; fd < 3; ++fd) {
        if ((closed & (1 << fd)) != 0) ::close(fd);
      }
      fill_standard_descriptors();
      const bool filled = ::open("/dev/zero", O_RDWR | O_CLOEXEC) > 2;
      const bool refuses = (closed & 2) == 0 || ::write(1, "x", 1) < 0;
      ::_exit(filled && refuses ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0) << closed;
  }
}

}  // namespace
}  // namespace cardvault::base
