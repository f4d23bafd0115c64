#include "provisioning/ceremony_desk.h"

#include <algorithm>
#include <array>

#include "provisioning/custody/share_file.h"
#include "provisioning/custody/share_text.h"
#include "provisioning/custody/transcript_check.h"
#include "provisioning/exit_code.h"
#include "vault/custody/lines.h"

namespace cardvault::provisioning {
namespace {

using custody::Share;

// A signature under something new: a card that only shows its public key is no proof.
bool proves_itself(custody::CustodianKey& key) {
  std::array<std::uint8_t, 16> nonce{};
  custody::fill_random(nonce);
  const std::string message = "cardvault presence v1\n" + custody::hex(nonce) + "\n";
  const auto signature = key.sign(message);
  return signature && custody::verify(key.public_key(), message, *signature);
}

}  // namespace

std::unique_ptr<custody::CustodianKey> Desk::authenticate(const custody::PlanCustodian& who) {
  const std::string& name = who.custodian.name;
  std::string& place = places_.try_emplace(name, who.key_place).first->second;
  bool place_known = !place.empty();
  for (unsigned attempt = 0; attempt < kTries; ++attempt) {
    if (!place_known) {
      place = terminal_.ask(name + ": path of your key file, or pkcs11: URI of your card", place);
    }
    const bool card = custody::is_card(place);
    const base::SecretText passphrase = terminal_.ask_secret(
        name + (card ? ": PIN of your card" : ": passphrase of your key " + place));
    place_known = true;
    try {
      auto key = custody::open_custodian_key(place, passphrase);
      if (!key) {
        terminal_.say(card ? "This PIN is wrong, and the card counts wrong tries."
                           : "This passphrase is wrong.");
      } else if ((*key)->public_key().point != who.custodian.key.point) {
        terminal_.say("This is the key " + custody::public_key_text((*key)->public_key()) +
                      ",\nbut " + name + "'s in the plan is " +
                      custody::public_key_text(who.custodian.key) + ".");
        place_known = false;
      } else if (!proves_itself(**key)) {
        terminal_.say("This key did not sign.");
      } else {
        return std::move(*key);
      }
    } catch (const base::StartupError& problem) {
      terminal_.say(problem.what());
      place_known = false;
    }
  }
  throw ToolError(ExitCode::kRefused, name + " was not authenticated in " + std::to_string(kTries) +
                                          " tries. What was done before stays; run it again");
}

const custody::PlanCustodian& Desk::find(const std::string& name) const {
  const auto found = std::ranges::find_if(
      plan_.custodians, [&](const auto& one) { return one.custodian.name == name; });
  if (found == plan_.custodians.end()) {
    throw base::StartupError("the share is " + name + "'s, who is no custodian of this plan");
  }
  return *found;
}

Share Desk::open_file(const std::string& path) {
  const custody::ShareFile file = custody::parse_share_file(path, custody::read_text_file(path));
  const auto key = authenticate(find(file.custodian));
  auto share = custody::open_share(file, *key);
  if (!share) {
    throw base::StartupError(path + ": it can't be opened with " + file.custodian +
                             "'s key: it was changed, or is for another key");
  }
  return std::move(*share);
}

std::optional<Share> Desk::type_share() {
  custody::ShareReader reader;
  while (!reader.complete()) {
    const unsigned line = reader.next_line();
    const base::SecretText typed = terminal_.ask_secret("Line " + std::to_string(line) + " of 4");
    if (typed.empty() && line == 1) return std::nullopt;
    if (const auto taken = reader.add(typed.expose()); !taken) {
      terminal_.say("Line " + std::to_string(line) +
                    " again: " + std::string(custody::explain(taken.error())) + ".");
    }
  }
  return reader.take();
}

Share Desk::take_share(const std::string& what) {
  for (;;) {
    const std::string path =
        terminal_.ask(what + ": path of the share's file, or just Enter to type it");
    try {
      if (!path.empty()) return open_file(path);
    } catch (const custody::TerminalGone&) {
      throw;
    } catch (const ToolError&) {
      throw;
    } catch (const base::StartupError& problem) {
      terminal_.say(problem.what());
      continue;
    }
    if (auto share = type_share()) return std::move(*share);
  }
}

void Desk::sign(custody::TranscriptWriter& transcript, const custody::PlanCustodian& who,
                const std::string& question) {
  const std::string& name = who.custodian.name;
  const custody::Digest body = transcript.so_far().body;
  terminal_.say("\nThe transcript's digest:\n" + custody::for_comparison(body, "  "));
  const auto key = authenticate(who);
  terminal_.demand_yes(name + ", " + question);
  auto signature = key->sign(custody::transcript_message(body));
  if (!signature) throw ToolError(ExitCode::kLocal, name + "'s key did not sign");
  transcript.add(custody::Signed{name, std::move(*signature)});
}

Share Desk::take_good_share(const custody::ShareRegister& shares, custody::SecretName secret,
                            std::span<const Share> entered) {
  for (;;) {
    Share share = take_share("Share of " + std::string(custody::secret_name(secret)) + ", the " +
                             std::to_string(entered.size() + 1) + ". of those needed");
    const auto known = shares.check(share, secret, entered);
    if (known) {
      terminal_.say(known->custodian + "'s share is good.");
      return share;
    }
    terminal_.say("Refused: " + custody::explain(known.error(), share.label) + ".");
  }
}

base::SecretBuffer Desk::rebuild(const custody::ShareRegister& shares, custody::SecretName secret,
                                 std::vector<custody::KnownShare>* used) {
  const auto current = shares.current(secret);
  if (current.empty()) {
    throw ToolError(ExitCode::kRefused,
                    "no shares of " + std::string(custody::secret_name(secret)) + " are recorded");
  }
  std::vector<Share> entered;
  std::vector<custody::Part> parts;
  while (entered.size() < current[0].label.threshold) {
    entered.push_back(take_good_share(shares, secret, entered));
    parts.push_back({entered.back().label.index, entered.back().value});
    if (used != nullptr) used->push_back(*shares.check(entered.back(), secret));
  }
  return custody::combine(parts);
}

}  // namespace cardvault::provisioning
