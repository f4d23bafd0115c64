#include "provisioning/custodian_desk.h"

#include <unistd.h>

#include <array>

#include "provisioning/custody/key_file.h"
#include "provisioning/exit_code.h"

namespace cardvault::provisioning {
namespace {

constexpr const char* kNothing = "Nothing was signed or made.\n";

base::SecretText read_fd(int fd) {
  std::array<char, custody::kMaxPassphrase + 2> text{};
  std::size_t size = 0;
  ssize_t n = 0;
  while (size < text.size() && (n = ::read(fd, text.data() + size, text.size() - size)) > 0) {
    size += static_cast<std::size_t>(n);
  }
  std::string_view line(text.data(), size);
  line = line.substr(0, line.find('\n'));
  base::SecretText out(line);
  base::wipe(text.data(), text.size());
  if (n < 0 || out.empty()) throw ToolError(ExitCode::kUsage, "no passphrase on --passphrase-fd");
  return out;
}

}  // namespace

Passphrase::Passphrase(int fd) : fd_(fd) {
  if (fd < 0) terminal_.emplace(kNothing);
}

base::SecretText Passphrase::ask(const std::string& question) {
  return terminal_ ? terminal_->ask_secret(question) : read_fd(fd_);
}

std::unique_ptr<custody::CustodianKey> open_key(const std::string& place, Passphrase& passphrase) {
  const bool card = custody::is_card(place);
  const auto typed = passphrase.ask(card ? "PIN of the card" : "Passphrase of " + place);
  auto key = custody::open_custodian_key(place, typed);
  if (!key) {
    throw ToolError(ExitCode::kRefused, card ? "this PIN is wrong, and the card counts wrong tries"
                                             : place + ": this passphrase is wrong");
  }
  return std::move(*key);
}

void confirm(custody::Terminal* terminal, const std::string& shown, const custody::Digest& digest,
             const std::string& digest_given) {
  if (!digest_given.empty()) {
    if (digest_given == custody::hex(digest)) return;
    throw ToolError(ExitCode::kRefused, "the digest is another than --digest: not signed");
  }
  if (terminal == nullptr) {
    throw ToolError(ExitCode::kUsage, "without a terminal, name what to sign by --digest");
  }
  terminal->say(shown);
  try {
    terminal->demand_yes("Do you approve exactly this");
  } catch (const custody::Declined& problem) {
    throw ToolError(ExitCode::kRefused, problem.what());
  }
}

}  // namespace cardvault::provisioning
