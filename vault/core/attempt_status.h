// What an operator sees and may do of a subject's counters (`cardvault otp status|unlock`).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "vault/core/attempt_guard.h"

namespace cardvault::core {

struct AttemptStatus {
  struct Scope {
    std::string scope;           // "otp:verify_login"
    std::uint32_t failures = 0;  // since the last lock, success, or quiet time of a lock's length
    std::int64_t locked_until_ms = 0;  // 0: not locked
    std::uint32_t sends = 0;           // codes in the current window
    std::int64_t last_send_ms = 0;     // 0: none
  };
  std::vector<Scope> scopes;
  std::uint32_t failures = 0;        // of the subject as a whole, since a success or an unlock
  bool blocked = false;              // by them: only an operator can help
  std::int64_t last_failure_ms = 0;  // in any scope, since then; 0: none
};

// Works for a stored subject and for one in a slot. Errors: those of the reader.
[[nodiscard]] base::Result<AttemptStatus> attempt_status(Reader& reader, const GuardKey& who,
                                                         const Settings& settings,
                                                         std::int64_t now_ms);

// Clears locks and failures of the subject, as a whole and in every scope; pacing of sends stays.
// In apply(); the caller adds the event. Errors: those of the transaction.
[[nodiscard]] base::Result<void> unlock_attempts(Transaction& tx, const GuardKey& who);

}  // namespace cardvault::core
