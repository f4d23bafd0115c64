// What a quorum allows: one exact act on one vault, until it expires.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vault/custody/digest.h"

namespace cardvault::custody {

// All that custodians are asked about (docs/custody.md, docs/backup.md).
inline constexpr auto kQuorumVerbs = std::to_array<std::string_view>(
    {"backup.restore", "client.add", "client.change", "client.release", "custodians.register",
     "gate.approve", "key.clone", "key.destroy", "key.replace", "key.rotate"});

struct Action {
  std::string vault;  // 16 hex digits
  std::string verb;   // as the admin socket knows it: "key.destroy"
  std::vector<std::pair<std::string, std::string>> arguments;  // in the order of their names
  std::int64_t expires_ms = 0;                                 // vault time
  std::string nonce;  // 32 hex digits: the same act a second time is another action
};

inline constexpr std::int64_t kMaxActionLife_ms = 7LL * 24 * 3'600'000;

// A new action with a fresh nonce; arguments are brought into order. Throws StartupError on a verb,
// name or value that can't stand in an action (control characters, a name twice).
[[nodiscard]] Action make_action(std::string vault, std::string verb,
                                 std::vector<std::pair<std::string, std::string>> arguments,
                                 std::int64_t expires_ms);

// The one text of an action, which is also its file:
//   cardvault action v1
//   vault: 0123456789abcdef
//   verb: key.destroy
//   argument: label=pan-enc/1
//   expires: 2026-11-23T10:00:00.000Z
//   nonce: 00112233445566778899aabbccddeeff
[[nodiscard]] std::string encode(const Action& action);

// Throws StartupError with `what` and the line for any other text: what is read and encoded again
// is the same, byte by byte.
[[nodiscard]] Action parse_action(const std::string& what, std::string_view text);

// SHA-256 of the text: what custodians compare and sign.
[[nodiscard]] Digest action_digest(const Action& action);

// A custodian's signature under an action.
struct Approval {
  Digest action{};
  std::string key;  // public_key_text() of the custodian
  std::vector<std::uint8_t> signature;
};

// What an approval signs: a text that no other file of ours has.
[[nodiscard]] std::string approval_message(const Digest& action);
[[nodiscard]] std::string encode(const Approval& approval);
[[nodiscard]] Approval parse_approval(const std::string& what, std::string_view text);

}  // namespace cardvault::custody
