// A vault's two SQLite files, opened by the one process that may.
#pragma once

#include <filesystem>
#include <memory>

#include "vault/base/result.h"
#include "vault/core/store.h"
#include "vault/store/backup.h"
#include "vault/store/checkpointer.h"
#include "vault/store/event_rows.h"
#include "vault/store/sqlite_committer.h"
#include "vault/store/sqlite_reader.h"
#include "vault/store/store_options.h"
#include "vault/store/vault_lock.h"

namespace cardvault::store {

// Thread-safe, but for what its parts say of themselves. Readers must be gone before it is.
class SqliteStore {
 public:
  // Throws StartupError: another process has it, no vault there, a file is missing, damaged or from
  // a newer program, or the audit log has a gap. `dir` exists and belongs to the vault's user
  // alone.
  [[nodiscard]] static std::unique_ptr<SqliteStore> open(const std::filesystem::path& dir,
                                                         StoreOptions options = {});

  [[nodiscard]] SqliteCommitter& committer() noexcept { return *committer_; }
  // One per thread that looks things up. kStoreFailed.
  [[nodiscard]] base::Result<std::unique_ptr<SqliteReader>> make_reader() const;
  // The log's lines, for `audit tail` and to rebuild the reveal budgets at start. kStoreFailed.
  [[nodiscard]] base::Result<std::unique_ptr<EventReader>> make_event_reader() const;
  [[nodiscard]] std::uint64_t next_seq() const noexcept { return committer_->next_seq(); }

  // Time of the last event that was there when it was opened; 0: there was none.
  [[nodiscard]] std::int64_t last_event_ms() const noexcept { return last_event_ms_; }

  // Copies vault.db and reveal.db into `target`, an existing directory, while commits go on: both
  // as they were at one moment between two groups. kAlreadyExists, kStorageFull, kStoreFailed;
  // kVaultUnavailable once stopped. On an error nothing is left behind. Any thread, one at a time.
  [[nodiscard]] base::Result<void> backup(const std::filesystem::path& target,
                                          const BackupProgress& progress);
  // Asks for idempotency keys past their 24 hours and PANs refused over 31 days ago to be deleted,
  // along with the next effects. Call it every few minutes.
  void expire(std::int64_t now_ms) { committer_->expire(now_ms); }
  // See SqliteCommitter::forget_events().
  [[nodiscard]] base::Result<void> forget_events(std::uint64_t below) {
    return committer_->forget_events(below);
  }
  // Commits what waits; later submits are refused. Also done by the destructor.
  void stop() { committer_->stop(); }

 private:
  SqliteStore(const std::filesystem::path& dir, StoreOptions options);
  [[nodiscard]] base::Result<std::unique_ptr<Connection>> connect(File file) const;

  const std::filesystem::path dir_;
  const StoreOptions options_;
  VaultLock lock_;
  std::int64_t last_event_ms_ = 0;
  std::unique_ptr<Checkpointer> checkpointer_;
  std::unique_ptr<SqliteCommitter> committer_;
};

}  // namespace cardvault::store
