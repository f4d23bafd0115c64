// Talking to the person in front: /dev/tty, whatever stdin and stdout are.
//
// Secrets are typed without echo and shown on the alternate screen, which leaves nothing in the
// scroll-back. However the process ends short of SIGKILL, the terminal is as it was before.
#pragma once

#include <termios.h>

#include <string>
#include <string_view>

#include "vault/base/result.h"
#include "vault/base/secret.h"

namespace cardvault::custody {

// The terminal hung up or its input ended.
class TerminalGone : public base::StartupError {
 public:
  using StartupError::StartupError;
};
// A question that needs "Yes" got another answer.
class Declined : public base::StartupError {
 public:
  using StartupError::StartupError;
};

// One at a time in a process: it handles SIGINT, SIGTERM, SIGHUP, SIGQUIT while it lives. Not
// thread-safe. All functions throw TerminalGone.
class Terminal {
 public:
  // `if_gone` is what to tell on stderr when the terminal hangs up: how to go on. Throws
  // StartupError where there is no terminal.
  explicit Terminal(const char* if_gone);
  ~Terminal();
  Terminal(const Terminal&) = delete;             // owns the terminal's state
  Terminal& operator=(const Terminal&) = delete;  // owns the terminal's state

  // A line, or several.
  void say(std::string_view text);
  // An answer without blanks around it; `preset` for an empty one.
  [[nodiscard]] std::string ask(std::string_view question, std::string_view preset = "");
  // Typed without echo, at most 1000 characters.
  [[nodiscard]] base::SecretText ask_secret(std::string_view question);
  // Throws Declined unless the answer is exactly "Yes".
  void demand_yes(std::string_view question);
  // A yes or no that decides nothing dangerous: true for exactly "Yes".
  [[nodiscard]] bool says_yes(std::string_view question);

  // How many lines it shows; 24 when it doesn't say.
  [[nodiscard]] unsigned rows() const;
  // From here to close_screen() everything said is on the alternate screen.
  void open_screen();
  void close_screen();

 private:
  [[nodiscard]] base::SecretText read_line();
  void write_all(std::string_view text);

  int fd_;
  termios before_{};
};

}  // namespace cardvault::custody
