#include "vault/core/attempt_status.h"

#include <algorithm>

namespace cardvault::core {

base::Result<AttemptStatus> attempt_status(Reader& reader, const GuardKey& who,
                                           const Settings& settings, std::int64_t now_ms) {
  auto rows = reader.guards(who.subject);
  if (!rows) return std::unexpected(rows.error());
  const AttemptSettings& limits = settings.attempts;
  AttemptStatus status;
  for (GuardRow& row : *rows) {
    if (row.fp != who.fp) continue;
    status.last_failure_ms = std::max(status.last_failure_ms, row.last_failure_ms);
    if (row.scope.empty()) {
      status.failures = row.failures;
      status.blocked = limits.subject_cap != 0 && row.failures >= limits.subject_cap;
      continue;
    }
    forget_quiet(row, limits, now_ms);
    const bool window_over =
        now_ms - row.window_start_ms >= std::int64_t{settings.otp.send_window_s} * 1000;
    status.scopes.push_back({std::move(row.scope), row.failures, row.locked_until_ms,
                             window_over ? 0 : row.window_used, row.last_send_ms});
  }
  return status;
}

base::Result<void> unlock_attempts(Transaction& tx, const GuardKey& who) {
  auto rows = tx.guards(who.subject);
  if (!rows) return std::unexpected(rows.error());
  for (GuardRow& row : *rows) {
    if (row.fp != who.fp || row.last_failure_ms == 0) continue;
    row.failures = 0;
    row.locked_until_ms = 0;
    row.last_failure_ms = 0;
    if (auto ok = tx.put_guard(row); !ok) return ok;
  }
  return {};
}

}  // namespace cardvault::core
