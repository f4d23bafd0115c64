#include "provisioning/ceremony_delivery.h"

#include <algorithm>
#include <cerrno>

#include "provisioning/custody/qr_code.h"
#include "provisioning/custody/share_file.h"
#include "provisioning/custody/share_text.h"
#include "provisioning/exit_code.h"
#include "vault/custody/lines.h"
#include "vault/custody/medium.h"

namespace cardvault::provisioning {
namespace {

using custody::Share;
using custody::Terminal;

constexpr unsigned kRowsOfText = 10;  // heading, lines, question

void show(Terminal& terminal, const std::string& name, const Share& share,
          const DeliveryRules& rules) {
  terminal.open_screen();
  if (!rules.banner.empty()) terminal.say(rules.banner);
  std::string heading = name + ": " + custody::describe(share.label);
  if (const auto at = heading.find(", vault "); at != std::string::npos) {
    heading.replace(at, 2, ",\n");  // 80 columns hold it then
  }
  terminal.say(heading + "\n");
  for (const base::SecretText& line : custody::share_lines(share)) terminal.say(line.expose());
  terminal.say("");
  // Of a screen that scrolls, the heading and the lines would be lost.
  const base::SecretText code = custody::qr_code(custody::share_in_one_line(share).expose());
  const auto picture = static_cast<unsigned>(std::ranges::count(code.expose(), '\n')) + 1;
  if (terminal.rows() >= picture + kRowsOfText) {
    terminal.say(code.expose());
  } else {
    terminal.say("(A window of " + std::to_string(picture + kRowsOfText) +
                 " lines shows it as a QR code as well.)");
  }
  static_cast<void>(terminal.ask("Write down the heading and the four lines, then press Enter"));
  terminal.close_screen();
}

// True when what is typed back is this share.
bool typed_back(Terminal& terminal, Desk& desk, const Share& share) {
  terminal.say("Type your share of " + std::string(custody::secret_name(share.label.secret)) +
               " back from your paper (an empty first line shows it again).");
  const auto typed = desk.type_share();
  if (!typed) return false;
  if (custody::share_digest(*typed) == custody::share_digest(share)) return true;
  terminal.say("That is " + custody::describe(typed->label) + ", not the one just shown.");
  return false;
}

void on_paper(Terminal& terminal, Desk& desk, const std::string& name, const Share& share,
              const DeliveryRules& rules) {
  for (;;) {
    show(terminal, name, share, rules);
    const bool done = rules.read_back
                          ? typed_back(terminal, desk, share)
                          : terminal.says_yes(name + ", have you written down all of it");
    if (done) return;
  }
}

// Empty when what lies on the medium opens with the custodian's key and is this share; else what is
// wrong. The medium may have been pulled out since it was written.
std::string fault_of(const std::string& path, custody::CustodianKey& key,
                     const custody::PlanCustodian& who, const Share& share) {
  try {
    const auto file = custody::parse_share_file(path, custody::read_text_file(path));
    const auto opened = custody::open_share(file, key);
    if (opened && custody::share_digest(*opened) == custody::share_digest(share)) return "";
  } catch (const base::StartupError&) {
    return path + ": it can't be read back: is the medium in, and mounted?";
  }
  return path + ": it does not open with " + who.custodian.name + "'s key";
}

std::string on_medium(Terminal& terminal, custody::CustodianKey& key,
                      const custody::PlanCustodian& who, const Share& share, std::string& folder,
                      const DeliveryRules& rules) {
  const auto content = custody::seal_share(share, who.custodian, rules.banner);
  if (!content) throw ToolError(ExitCode::kLocal, "a share can't be encrypted: OpenSSL failed");
  std::string written;  // and not read back: the medium was pulled out, and may come in again
  for (;;) {
    const std::string path = folder + "/" + custody::share_file_name(share.label);
    const int error = custody::write_new_file(path, *content);
    const bool there = error == 0 || (error == EEXIST && path == written);
    if (there) written = path;
    const std::string fault =
        there ? fault_of(path, key, who, share) : path + ": " + custody::explain_write(error);
    if (fault.empty()) {
      if (custody::same_device(folder, rules.home)) {
        terminal.say("Note: " + folder + " is on this machine's own disk, not on a medium.");
      }
      terminal.say("Written, read back and opened: " + path);
      return path;
    }
    terminal.say(fault + ".");
    folder = terminal.ask(who.custodian.name + ": folder of your medium, this or another", folder);
  }
}

}  // namespace

std::vector<std::string> deliver(Terminal& terminal, Desk& desk, const custody::PlanCustodian& who,
                                 const std::vector<const Share*>& shares,
                                 const DeliveryRules& rules) {
  const std::string& name = who.custodian.name;
  terminal.say("\n" + name + ", come to the terminal for your " + std::to_string(shares.size()) +
               (shares.size() == 1 ? " share." : " shares.") +
               (who.delivery == custody::Delivery::kTerminal ? " Everybody else turns away." : ""));
  const auto key = desk.authenticate(who);
  std::vector<std::string> written;
  std::string folder = who.medium;
  for (const Share* share : shares) {
    if (who.delivery == custody::Delivery::kTerminal) {
      on_paper(terminal, desk, name, *share, rules);
    } else {
      written.push_back(on_medium(terminal, *key, who, *share, folder, rules));
    }
  }
  const std::string question =
      who.delivery == custody::Delivery::kTerminal
          ? name + ", do you have your shares, and will you keep them where only you can get them"
          : name + ", have you taken your medium, and will you keep it where only you can get it";
  while (!terminal.says_yes(question)) terminal.say("Take your time.");
  return written;
}

}  // namespace cardvault::provisioning
