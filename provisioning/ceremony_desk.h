// Where custodians come to: who they are, and the shares they bring.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>

#include "provisioning/custody/custodian_key.h"
#include "provisioning/custody/plan.h"
#include "provisioning/custody/terminal.h"
#include "vault/custody/share_register.h"
#include "vault/custody/transcript.h"

namespace cardvault::provisioning {

inline constexpr unsigned kTries = 5;  // of a passphrase, at one time

// All functions throw what Terminal's do.
class Desk {
 public:
  Desk(custody::Terminal& terminal, const custody::Plan& plan) : terminal_(terminal), plan_(plan) {}

  // Opens the custodian's key with the passphrase they type, and proves by a signature that it is
  // the plan's. Throws ToolError(kRefused) after kTries.
  [[nodiscard]] std::unique_ptr<custody::CustodianKey> authenticate(
      const custody::PlanCustodian& who);

  // The custodian compares the transcript's digest, answers the question with an exact "Yes" and
  // signs it. Throws ToolError as authenticate() does, and when it isn't signed.
  void sign(custody::TranscriptWriter& transcript, const custody::PlanCustodian& who,
            const std::string& question);

  // A share that a custodian types, or brings in a file on a medium. Faulty lines are asked for
  // again; nothing is said about whether it is a good share.
  [[nodiscard]] custody::Share take_share(const std::string& what);
  // The same until it is a good one of `secret` beside those entered; a bad one is named at once.
  [[nodiscard]] custody::Share take_good_share(const custody::ShareRegister& shares,
                                               custody::SecretName secret,
                                               std::span<const custody::Share> entered);
  // Enough of them, and the secret they rebuild.
  [[nodiscard]] base::SecretBuffer rebuild(const custody::ShareRegister& shares,
                                           custody::SecretName secret,
                                           std::vector<custody::KnownShare>* used = nullptr);

  // Typed in four lines, or as one by a scanner. An empty first line gives nullopt.
  [[nodiscard]] std::optional<custody::Share> type_share();

 private:
  [[nodiscard]] custody::Share open_file(const std::string& path);
  [[nodiscard]] const custody::PlanCustodian& find(const std::string& name) const;

  custody::Terminal& terminal_;
  const custody::Plan& plan_;
  std::map<std::string, std::string> places_;  // of keys, as last typed
};

}  // namespace cardvault::provisioning
