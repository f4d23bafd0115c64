// The tables of the store's two files, and how older ones become newer.
#pragma once

#include <cstdint>
#include <string_view>

#include "vault/store/connection.h"

namespace cardvault::store {

// vault.db holds cards and everything that decides; reveal.db only events, because any commit to
// the card file empties its readers' page cache (PERFORMANCE.md, "Storage").
enum class File : std::uint8_t { kVault = 0, kReveal = 1 };
inline constexpr std::size_t kFiles = 2;

// "vault.db", "reveal.db".
[[nodiscard]] std::string_view file_name(File file) noexcept;

// Brings a file to this program's version, each step in one transaction. Throws StartupError when
// the file is not the vault's, was written by a newer program, or a step fails.
void migrate(Connection& connection, File file);

}  // namespace cardvault::store
