#include "provisioning/context.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <chrono>
#include <thread>

#include "provisioning/config_file.h"
#include "provisioning/in_process_backend.h"
#include "provisioning/progress.h"
#include "provisioning/socket_backend.h"

namespace cardvault::provisioning {
namespace {

std::uint64_t number(const std::string& text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

constexpr int kStartAttempts = 100;
constexpr auto kStartPause = std::chrono::milliseconds(100);

// Whether some process has the vault in this folder.
bool locked(const std::string& data_dir) {
  const int fd = ::open((data_dir + "/vault.lock").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool held = ::flock(fd, LOCK_SH | LOCK_NB) != 0;
  ::close(fd);
  return held;
}

bool is_progress(const wire::AdminAnswer& answer) {
  return answer.columns == std::vector<std::string>{"done", "total"} && !answer.rows.empty() &&
         answer.rows[0].size() == 2;
}

}  // namespace

wire::AdminAnswer ask(const Context& context, Backend& backend, const std::string& verb,
                      Arguments arguments, base::SecretBuffer blob) {
  wire::AdminRequest request;
  request.verb = verb;
  request.operator_name = context.operator_name;
  request.arguments = std::move(arguments);
  add_approvals(context.quorum, verb, request.arguments);
  request.blob = std::move(blob);
  Progress progress(context.err, context.err_is_terminal, verb);
  return backend.run(std::move(request), [&](const wire::AdminAnswer& answer) {
    if (is_progress(answer)) progress.show(number(answer.rows[0][0]), number(answer.rows[0][1]));
  });
}

ExitCode conclude(const Context& context, const wire::AdminAnswer& answer) {
  if (!answer.ok && answer.columns == std::vector<std::string>{"action"}) {
    return hand_out_action(context, answer);
  }
  if (answer.ok || !answer.columns.empty()) render(context.out, context.format, answer);
  if (!answer.message.empty()) context.err << "cardvault: " << printable(answer.message) << '\n';
  if (!answer.ok && answer.message.empty()) {
    context.err << "cardvault: refused: " << base::code_name(answer.code) << '\n';
  }
  if (answer.ok) return ExitCode::kDone;
  return answer.code == base::Code::kApprovalNeeded ? ExitCode::kWaits : ExitCode::kRefused;
}

ExitCode act(const Context& context, const std::string& verb, Arguments arguments) {
  const auto backend = context.open(context);
  return conclude(context, ask(context, *backend, verb, std::move(arguments)));
}

base::SecretText read_line(const Context& context, const std::string& prompt) {
  if (context.in_is_terminal) context.err << prompt << ": " << std::flush;
  std::array<char, 512> line{};
  context.in.getline(line.data(), line.size());
  base::SecretText text(std::string_view(line.data()));
  base::wipe(line.data(), line.size());
  if (text.empty() || context.in.fail()) {
    throw ToolError(ExitCode::kUsage, "nothing on stdin: expected a line with the " + prompt);
  }
  return text;
}

std::string login_name() {
  const uid_t uid = ::getuid();
  const passwd* entry = ::getpwuid(uid);
  return entry != nullptr ? entry->pw_name : "uid-" + std::to_string(uid);
}

std::unique_ptr<Backend> open_vault(const Context& context) {
  const ConfigFile config = read_config_file(context.config);
  for (int attempt = 0; attempt < kStartAttempts; ++attempt) {
    if (auto line = SocketBackend::connect(config.admin_socket)) return line;
    if (!locked(config.data_dir)) {
      auto backend = InProcessBackend::open(context.config);
      context.err << "cardvault: no vault runs: done in this process\n";
      return backend;
    }
    std::this_thread::sleep_for(kStartPause);  // a daemon that starts or stops
  }
  throw ToolError(ExitCode::kUnreachable, "a process holds the lock of " + config.data_dir +
                                              " but does not answer on " + config.admin_socket +
                                              ": see the vault's log");
}

}  // namespace cardvault::provisioning
