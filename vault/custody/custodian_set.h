// The registered custodians of a vault: a small file that the ceremony signs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "vault/custody/signature.h"

namespace cardvault::custody {

struct Custodian {
  std::string name;
  core::SigningPublicKey key;
};

// A signature under a file: by "audit-sign" or a custodian's name.
struct Signed {
  std::string by;
  Signature signature;
};

struct CustodianSet {
  std::string vault;    // 16 hex digits
  unsigned needed = 0;  // how many approve an action
  std::vector<Custodian> custodians;
  core::SigningPublicKey audit_key;  // of audit-sign/1
  std::vector<Signed> signatures;
};

//   cardvault custodians v1
//   vault: 0123456789abcdef
//   needed: 3
//   custodian: anna p256:02…
//   audit-key: ed25519:…
//   signed: audit-sign <hex>
//   signed: anna <hex>
// The part before the first "signed" is what signatures are over.
[[nodiscard]] std::string set_body(const CustodianSet& set);
[[nodiscard]] std::string encode(const CustodianSet& set);
// Throws StartupError for any other form, a name or key twice, needed below 2 or above the number.
// Says nothing about signatures.
[[nodiscard]] CustodianSet parse_custodian_set(const std::string& what, std::string_view text);

// What signatures under a file are over: "cardvault signed custodians v1\n" and its digest.
[[nodiscard]] std::string signed_message(std::string_view kind, std::string_view body);

// What is wrong with the signatures, one line each; empty when audit-sign and every custodian named
// signed it. `audit_key`: the vault's own, from its token.
[[nodiscard]] std::vector<std::string> check_signatures(const CustodianSet& set,
                                                        const core::SigningPublicKey& audit_key);

// One "signed: NAME HEX" line, and its reading.
[[nodiscard]] std::string signed_line(const Signed& one);
[[nodiscard]] std::optional<Signed> parse_signed(std::string_view value);

}  // namespace cardvault::custody
