// The list of files that the vault signs as evidence.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace cardvault::daemon {

struct EvidenceList {
  std::size_t files = 0;
  std::string digest;  // SHA-256 of the list, hex
};

// Lines "file: SHA-256 SIZE NAME": 64 lower-case hex digits, a decimal number, and a name of
// letters, digits, '.', '_', '-' and '/' that stays below its folder; 1 to 1000 of them, no name
// twice. nullopt: anything else, so that the vault signs nothing that somebody made up.
[[nodiscard]] std::optional<EvidenceList> check_evidence_list(std::string_view list);

}  // namespace cardvault::daemon
