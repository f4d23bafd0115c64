#include <signal.h>
#include <unistd.h>

#include <iostream>

#include "provisioning/command_line.h"
#include "vault/base/fd.h"

int main(int argc, char** argv) {
  using namespace cardvault::provisioning;
  cardvault::base::fill_standard_descriptors();
  ::signal(SIGPIPE, SIG_IGN);
  std::ios::sync_with_stdio(false);
  Context context{.in = std::cin, .out = std::cout, .err = std::cerr};
  context.in_is_terminal = ::isatty(STDIN_FILENO) == 1;
  context.err_is_terminal = ::isatty(STDERR_FILENO) == 1;
  context.open = open_vault;
  return run(argc, argv, std::move(context));
}
