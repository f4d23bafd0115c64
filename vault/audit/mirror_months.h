// The notes of closed months (segments.h), for a copy of their log.
#pragma once

#include <optional>
#include <vector>

#include "vault/audit/checkpoint.h"
#include "vault/audit/finding.h"
#include "vault/audit/log_files.h"
#include "vault/audit/tile_reader.h"
#include "vault/audit/tile_tree.h"

namespace cardvault::audit {

struct WrongMonth {
  Finding finding;
  LogFile served;  // the file that is wrong
};

// Takes each closed month's manifest and checkpoint that `local`, which has all files of the log of
// this checkpoint, does not have yet; the partial files of the month are made of its tiles. Nothing
// is put in place before the month's checkpoint is seen to be signed and of this log's past. Left
// out are a month that ends after `log`, until the next time, and one whose checkpoint is by a key
// that is not in `keys`. nullopt: all is right. Errors: of `remote` and `local`.
[[nodiscard]] base::Result<std::optional<WrongMonth>> copy_months(
    const ReadFile& remote, LogFiles& local, const std::vector<VerifierKey>& keys,
    const Checkpoint& log);

}  // namespace cardvault::audit
