#include "provisioning/key_vault_line.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "protocol/wire/frame.h"
#include "vault/base/fd.h"

namespace cardvault::provisioning {
namespace {

constexpr const char* kFailedColumn = "exit code";  // of an answer that is a child's ToolError

wire::AdminAnswer run_here(const Context& context, const std::string& verb, Arguments arguments,
                           base::SecretBuffer blob) {
  try {
    return ask(context, *context.open(context), verb, std::move(arguments), std::move(blob));
  } catch (const std::exception& problem) {  // none may go on in a child as its parent would
    const auto* tool = dynamic_cast<const ToolError*>(&problem);
    wire::AdminAnswer answer;
    answer.ok = false;
    answer.message = problem.what();
    answer.columns = {kFailedColumn};
    answer.rows = {
        {std::to_string(static_cast<int>(tool != nullptr ? tool->code() : ExitCode::kLocal))}};
    return answer;
  }
}

[[noreturn]] void broken() {
  throw ToolError(ExitCode::kUnreachable,
                  "the process that speaks to the vault ended before it answered: run this again");
}

wire::AdminAnswer read_answer(int fd) {
  wire::FrameReader reader;
  for (;;) {
    const auto frame = reader.next();
    if (!frame) broken();
    if (*frame) {
      auto answer = wire::decode_admin_answer((*frame)->payload);
      if (!answer) broken();
      return std::move(*answer);
    }
    const auto space = reader.space();
    const ssize_t n = ::read(fd, space.data(), space.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) broken();
    reader.filled(static_cast<std::size_t>(n));
  }
}

}  // namespace

wire::AdminAnswer ask_apart(const Context& context, const std::string& verb, Arguments arguments,
                            base::SecretBuffer blob) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw ToolError(ExitCode::kLocal, std::string("no pipe: ") + std::strerror(errno));
  }
  context.out.flush();
  const pid_t child = ::fork();
  if (child < 0)
    throw ToolError(ExitCode::kLocal, std::string("no process: ") + std::strerror(errno));
  if (child == 0) {
    ::close(ends[0]);
    base::SecretBuffer out;
    wire::encode(out, 1, run_here(context, verb, std::move(arguments), std::move(blob)));
    ::_exit(base::write_all(ends[1], base::as_text(out)) == 0 ? 0 : 1);
  }
  ::close(ends[1]);
  struct Reaped {
    pid_t child;
    int fd;
    ~Reaped() {
      ::close(fd);
      while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
      }
    }
  };
  const Reaped reaped{child, ends[0]};
  wire::AdminAnswer answer = read_answer(ends[0]);
  if (answer.columns == std::vector<std::string>{kFailedColumn}) {
    throw ToolError(static_cast<ExitCode>(std::stoi(answer.rows.at(0).at(0))), answer.message);
  }
  return answer;
}

ExitCode act_apart(const Context& context, const std::string& verb, Arguments arguments) {
  return conclude(context, ask_apart(context, verb, std::move(arguments)));
}

}  // namespace cardvault::provisioning
