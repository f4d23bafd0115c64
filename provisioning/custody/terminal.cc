#include "provisioning/custody/terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "vault/base/ascii.h"
#include "vault/base/check.h"
#include "vault/base/fd.h"

namespace cardvault::custody {
namespace {

constexpr std::array<int, 4> kEnding = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
constexpr std::string_view kOpenScreen = "\033[?1049h\033[2J\033[H";
constexpr std::string_view kCloseScreen = "\033[2J\033[?1049l";

// What the signal handler needs; written before the handler is installed.
int g_fd = -1;
termios g_before{};
const char* g_if_gone = "";
volatile sig_atomic_t g_screen = 0;

void restore() {
  if (g_screen != 0) {
    static_cast<void>(!::write(g_fd, kCloseScreen.data(), kCloseScreen.size()));
    g_screen = 0;
  }
  ::tcsetattr(g_fd, TCSAFLUSH, &g_before);  // async-signal-safe; what was typed ahead is dropped
}

extern "C" void cardvault_terminal_ends(int signal) {
  restore();
  if (signal == SIGHUP) {
    static_cast<void>(!::write(STDERR_FILENO, g_if_gone, std::strlen(g_if_gone)));
  }
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

void set_echo(int fd, const termios& before, bool echo) {
  termios state = before;
  if (!echo) {
    state.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHOE | ECHOK);
    state.c_lflag |= ECHONL;              // the line's end is seen, nothing else
    state.c_cc[VSUSP] = _POSIX_VDISABLE;  // no stopping in the middle of a secret
  }
  ::tcsetattr(fd, TCSAFLUSH, &state);
}

}  // namespace

Terminal::Terminal(const char* if_gone) : fd_(::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)) {
  if (fd_ < 0 || ::tcgetattr(fd_, &before_) != 0) {
    if (fd_ >= 0) ::close(fd_);
    throw base::StartupError(
        "custodians are spoken to on a terminal, and this process has none: run it in one");
  }
  CARDVAULT_CHECK(g_fd < 0);
  g_fd = fd_;
  g_before = before_;
  g_if_gone = if_gone;
  struct sigaction action{};
  action.sa_handler = cardvault_terminal_ends;
  for (const int signal : kEnding) ::sigaction(signal, &action, nullptr);
}

Terminal::~Terminal() {
  restore();
  for (const int signal : kEnding) ::signal(signal, SIG_DFL);
  g_fd = -1;
  ::close(fd_);
}

void Terminal::write_all(std::string_view text) {
  if (base::write_all(fd_, text) != 0) {
    throw TerminalGone(std::string("the terminal is gone. ") + g_if_gone);
  }
}

void Terminal::say(std::string_view text) {
  write_all(text);
  write_all("\n");
}

base::SecretText Terminal::read_line() {
  std::array<char, 1001> line{};
  std::size_t size = 0;
  while (size < line.size()) {
    const ssize_t n = ::read(fd_, line.data() + size, line.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      base::wipe(line.data(), line.size());
      throw TerminalGone(std::string("the terminal's input has ended. ") + g_if_gone);
    }
    size += static_cast<std::size_t>(n);
    if (line[size - 1] == '\n') break;
  }
  std::string_view text(line.data(), size);
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  base::SecretText out(base::trimmed(text));
  base::wipe(line.data(), line.size());
  return out;
}

std::string Terminal::ask(std::string_view question, std::string_view preset) {
  set_echo(fd_, before_, true);
  write_all(question);
  if (!preset.empty()) write_all(" [" + std::string(preset) + "]");
  write_all(": ");
  const base::SecretText answer = read_line();
  return std::string(answer.empty() ? preset : answer.expose());
}

base::SecretText Terminal::ask_secret(std::string_view question) {
  set_echo(fd_, before_, false);
  write_all(question);
  write_all(": ");
  // Without echo until the next question: whoever types a secret twice, because a key takes its
  // time to open, doesn't show it.
  return read_line();
}

bool Terminal::says_yes(std::string_view question) {
  return ask(std::string(question) + "? (type Yes)") == "Yes";
}

void Terminal::demand_yes(std::string_view question) {
  if (!says_yes(question)) {
    throw Declined("not confirmed with exactly \"Yes\": " + std::string(question));
  }
}

unsigned Terminal::rows() const {
  constexpr unsigned kUsual = 24;
  winsize size{};
  return ::ioctl(fd_, TIOCGWINSZ, &size) == 0 && size.ws_row != 0 ? size.ws_row : kUsual;
}

void Terminal::open_screen() {
  g_screen = 1;
  write_all(kOpenScreen);
}

void Terminal::close_screen() {
  write_all(kCloseScreen);
  g_screen = 0;
}

}  // namespace cardvault::custody
