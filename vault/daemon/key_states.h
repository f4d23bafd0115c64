// What the rows of the key register mean to a running vault.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vault/core/key_versions.h"
#include "vault/core/store.h"
#include "vault/daemon/key_config.h"

namespace cardvault::daemon {

[[nodiscard]] std::string_view key_state_name(core::KeyState state) noexcept;  // "decrypt only"

// "pan-enc/2" and "pan-enc", as an operator writes them.
[[nodiscard]] std::optional<core::KeyRef> parse_key(std::string_view label);
[[nodiscard]] std::optional<core::KeyPurpose> parse_purpose(std::string_view name);

// nullptr when there is no such row.
[[nodiscard]] const core::KeyRow* find_key(std::span<const core::KeyRow> rows, core::KeyRef key);
// The purpose's versions in this state, the newest first.
[[nodiscard]] std::vector<std::uint32_t> versions_in(std::span<const core::KeyRow> rows,
                                                     core::KeyPurpose purpose,
                                                     core::KeyState state);
// What each key's check value must be; empty where the registry has none.
[[nodiscard]] std::map<core::KeyRef, std::string> check_values(std::span<const core::KeyRow> rows);
// Keys that are never looked for on the token again.
[[nodiscard]] std::set<core::KeyRef> destroyed_keys(std::span<const core::KeyRow> rows);

// New records get the active versions; look-ups try those that are decrypt-only too, at most
// KeyVersions::kMaxEarlier of them.
void use_keys(std::span<const core::KeyRow> rows, core::ActiveKeys& keys);

// When the active key's cryptoperiod ends; nullopt without one, and for keys that are not active.
[[nodiscard]] std::optional<std::int64_t> period_end_ms(const core::KeyRow& row,
                                                        const KeyConfig& config);

// Names of values in the store.
[[nodiscard]] std::string rotation_value(core::KeyPurpose purpose);  // the version being made
[[nodiscard]] std::string destruction_value(core::KeyRef key);       // when it is due
[[nodiscard]] std::string statement_value(core::KeyRef key);         // "0 rows left", signed
inline constexpr std::string_view kRewrapValue = "rewrap";           // the purpose being moved
inline constexpr std::string_view kCloneValue = "clone";             // the HSM that gets keys

}  // namespace cardvault::daemon
