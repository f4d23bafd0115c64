// The plan of a ceremony: one reviewed TOML file, in which no secret stands (docs/ceremony.md).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "vault/custody/custodian_set.h"
#include "vault/custody/share.h"

namespace cardvault::custody {

enum class Delivery : std::uint8_t {
  kTerminal,  // shown on the screen, written down by hand or scanned
  kMedium,    // a file on the custodian's own medium, under the custodian's key
};

struct PlanCustodian {
  Custodian custodian;
  std::string key_place;  // where the key is: a path or a card's URI; "" is asked for
  Delivery delivery = Delivery::kTerminal;
  std::string medium;               // the folder where the medium is mounted
  std::vector<SecretName> secrets;  // whose shares they hold
};

struct Plan {
  std::string text;  // the file, byte by byte
  Digest digest{};   // of the text: what custodians compare and sign

  std::string title;
  std::string module, init_args, label;          // of the token
  std::string config_dir, run_dir, daemon_user;  // as of `cardvault init`
  std::vector<std::string> gates, operators;     // as of `cardvault init`
  bool custodians_unseal = false;                // else the user PIN also lies in a file
  bool read_back = true;                         // a share on paper is typed back at once
  unsigned approvals_needed = 0;                 // K of the quorum
  std::map<SecretName, unsigned> thresholds;     // backup-key absent: no backup
  std::vector<PlanCustodian> custodians;

  [[nodiscard]] bool has(SecretName secret) const { return thresholds.contains(secret); }
  // Indices into `custodians`; share i+1 of the secret goes to holders()[i].
  [[nodiscard]] std::vector<std::size_t> holders(SecretName secret) const;
};

// Throws StartupError with everything that is wrong, a line each.
[[nodiscard]] Plan parse_plan(const std::string& what, std::string text);

// The exact steps of the ceremony, in order, for people; without the digest.
[[nodiscard]] std::vector<std::string> plan_steps(const Plan& plan);

// Everything: title, digest, custodians, secrets, steps.
[[nodiscard]] std::string show_plan(const Plan& plan);

}  // namespace cardvault::custody
