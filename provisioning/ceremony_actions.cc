#include "provisioning/ceremony_actions.h"

#include <time.h>

#include <algorithm>

#include "provisioning/ceremony_desk.h"
#include "provisioning/custodian_desk.h"
#include "provisioning/custody/key_file.h"
#include "vault/base/ascii.h"
#include "vault/base/clock.h"
#include "vault/custody/lines.h"
#include "vault/custody/medium.h"
#include "vault/custody/quorum.h"

namespace cardvault::provisioning {
namespace {

std::int64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000;
}

custody::Action read_action(const std::string& path) {
  return custody::parse_action(path, custody::read_text_file(path));
}

std::string describe(const custody::Action& action) {
  return custody::encode(action) + "\nSHA-256, to be compared by reading it aloud:\n" +
         custody::for_comparison(custody::action_digest(action), "  ");
}

void write_new(const std::string& path, const std::string& text) {
  if (const int error = custody::write_new_file(path, text); error != 0) {
    throw ToolError(ExitCode::kLocal, path + ": " + custody::explain_write(error));
  }
}

// Asked for again on a terminal: what is typed after the tool's end would stand in the shell.
base::SecretText new_passphrase(Passphrase& passphrase, const std::string& path) {
  const std::string length = std::to_string(custody::kMinPassphrase) + " to " +
                             std::to_string(custody::kMaxPassphrase) + " characters";
  for (unsigned tries = 0; tries < kTries; ++tries) {
    auto first = passphrase.ask("New passphrase for " + path + ", " + length);
    const bool fits =
        first.size() >= custody::kMinPassphrase && first.size() <= custody::kMaxPassphrase;
    custody::Terminal* const terminal = passphrase.terminal();
    if (terminal == nullptr) {
      if (fits) return first;
      break;
    }
    if (!fits) {
      terminal->say("A passphrase has " + length + ".");
    } else if (std::ranges::equal(first.expose(), passphrase.ask("The same once more").expose())) {
      return first;
    } else {
      terminal->say("The two are not the same.");
    }
  }
  throw ToolError(ExitCode::kUsage, "a passphrase has " + length + ": no key was made");
}

}  // namespace

ExitCode create_custodian_key(const Context& context, const std::string& path, int passphrase_fd) {
  Passphrase passphrase(passphrase_fd);
  const auto first = new_passphrase(passphrase, path);
  const auto key = custody::create_key_file(path, first);
  context.out << "key = \"" << custody::public_key_text(key) << "\"\n";
  context.err << "cardvault: made " << path
              << ". The line above is for the plan; the file stays with its custodian\n";
  return ExitCode::kDone;
}

ExitCode show_custodian_key(const Context& context, const std::string& place, int passphrase_fd) {
  Passphrase passphrase(passphrase_fd);
  const auto key = open_key(place, passphrase);
  context.out << "key = \"" << custody::public_key_text(key->public_key()) << "\"\n";
  return ExitCode::kDone;
}

ExitCode new_action(const Context& context, const NewAction& options) {
  const auto& known = custody::kQuorumVerbs;
  if (std::ranges::find(known, options.verb) == known.end()) {
    throw ToolError(ExitCode::kUsage, "custodians are not asked about '" + printable(options.verb) +
                                          "': `cardvault action new --help` lists what they are");
  }
  std::string vault = options.vault;
  if (!options.custodians.empty()) {
    vault = custody::parse_custodian_set(options.custodians,
                                         custody::read_text_file(options.custodians))
                .vault;
  }
  std::vector<std::pair<std::string, std::string>> arguments;
  for (const std::string& one : options.arguments) {
    const auto equals = one.find('=');
    if (equals == std::string::npos) {
      throw ToolError(ExitCode::kUsage, "an argument is NAME=VALUE: " + one);
    }
    arguments.emplace_back(one.substr(0, equals), one.substr(equals + 1));
  }
  const auto action = custody::make_action(vault, options.verb, std::move(arguments),
                                           now_ms() + 3'600'000LL * options.hours);
  write_new(options.out, custody::encode(action));
  context.out << describe(action);
  return ExitCode::kDone;
}

ExitCode show_action(const Context& context, const std::string& path) {
  context.out << describe(read_action(path));
  return ExitCode::kDone;
}

ExitCode check_action(const Context& context, const std::string& path,
                      const std::string& custodians, const std::vector<std::string>& approvals) {
  const custody::CustodianSet set =
      custody::parse_custodian_set(custodians, custody::read_text_file(custodians));
  auto problems = custody::check_signatures(set, set.audit_key);
  std::vector<custody::Approval> read;
  for (const std::string& one : approvals) {
    read.push_back(custody::parse_approval(one, custody::read_text_file(one)));
  }
  const auto verdict = custody::check_quorum(read_action(path), read, set, now_ms());
  for (const std::string& problem : problems) {
    context.err << "cardvault: " << custodians << ": " << problem << '\n';
  }
  for (const std::string& problem : verdict.problems)
    context.err << "cardvault: " << problem << '\n';
  for (const std::string& name : verdict.approved_by) context.out << "approved by " << name << '\n';
  if (!verdict.reached || !problems.empty()) return ExitCode::kRefused;
  context.err << "cardvault: a quorum. The vault checks it again, with its own clock and key\n";
  return ExitCode::kDone;
}

ExitCode approve(const Context& context, const ApproveOptions& options) {
  const custody::Action action = read_action(options.action);
  if (action.expires_ms <= now_ms()) {
    throw ToolError(
        ExitCode::kRefused,
        "the action expired at " + base::format_time(action.expires_ms) + ": a new one is needed");
  }
  Passphrase passphrase(options.passphrase_fd);
  confirm(passphrase.terminal(), describe(action), custody::action_digest(action), options.digest);
  const auto key = open_key(options.key, passphrase);
  const custody::Digest digest = custody::action_digest(action);
  auto signature = key->sign(custody::approval_message(digest));
  if (!signature) throw ToolError(ExitCode::kLocal, "the key did not sign");
  const std::string name = custody::public_key_text(key->public_key());
  const std::string out = options.out.empty()
                              ? options.action + "." + name.substr(name.size() - 8) + ".approval"
                              : options.out;
  write_new(out, custody::encode(custody::Approval{digest, name, std::move(*signature)}));
  context.err << "cardvault: approved: " << out << '\n';
  return ExitCode::kDone;
}

}  // namespace cardvault::provisioning
