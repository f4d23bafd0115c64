// Logs of a vault that was restored: each begins where the one before was last seen (docs/audit.md,
// "After a restore").
#pragma once

#include <string>
#include <vector>

#include "provisioning/auditor/terminal.h"
#include "vault/audit/checkpoint.h"
#include "vault/audit/tile_reader.h"

namespace cardvault::auditor {

struct BeforeOptions {
  std::vector<std::string> folders;     // of the logs before, the newest first
  std::vector<std::string> keys;        // theirs, in any order: each is taken by the log's name
  std::vector<std::string> custodians;  // registers, one whose quorum signed; none: unchecked
};

// Follows a log that verifies to the ones before it. Prints what holds and what does not; kVerified
// when each log verifies up to the checkpoint that the next one begins with, and the quorum's
// signatures hold where a register was given. `read` and `size` are the newest log's; `also` are
// folders with files of any of them, `threads` as of audit::WalkOptions. Throws StartupError when
// nothing can be said.
[[nodiscard]] int verify_before(const audit::ReadFile& read, std::uint64_t size,
                                const BeforeOptions& options, const std::vector<std::string>& also,
                                unsigned threads, const Terminal& terminal);

// "continues LOG from record N on", of a log that a restore began; "" for any other.
[[nodiscard]] std::string continues_what(const audit::ReadFile& read, std::uint64_t size);

}  // namespace cardvault::auditor
