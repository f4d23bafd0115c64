// The connections that the committer writes through; made anew after every failed commit.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "vault/store/event_rows.h"
#include "vault/store/schema.h"
#include "vault/store/sqlite_transaction.h"
#include "vault/store/store_options.h"

namespace cardvault::store {

// Committer thread only (or the thread that opens the store, before).
class WriteSide {
 public:
  // Makes missing files where that is allowed, makes sure of the WALs' bytes, opens, migrates and
  // checks both files. Throws StartupError. No other connection may be checkpointing meanwhile.
  WriteSide(const std::filesystem::path& dir, const StoreOptions& options);

  [[nodiscard]] std::uint64_t next_seq() const noexcept { return next_seq_; }
  // Of the last event in either file; 0: there is none.
  [[nodiscard]] std::int64_t last_event_ms() const noexcept { return last_event_ms_; }
  [[nodiscard]] SqliteTransaction& transaction() noexcept { return *transaction_; }

  // One group: on vault.db begin(), effects, append(), commit(); on reveal.db append() alone.
  [[nodiscard]] base::Result<void> begin() { return Query(*begin_).run("begin group"); }
  [[nodiscard]] base::Result<void> append(File file, std::uint64_t first_seq, std::uint64_t count,
                                          std::string_view leaves);
  // Between two groups: see EventRowWriter::forget().
  [[nodiscard]] base::Result<std::size_t> forget(File file, std::uint64_t below,
                                                 std::size_t limit) {
    return event_rows_[static_cast<std::size_t>(file)]->forget(below, limit);
  }
  [[nodiscard]] base::Result<void> commit() { return Query(*commit_).run("commit group"); }
  void rollback() noexcept { connection(File::kVault).rollback(); }

  // Pages in a file's WAL after the last commit.
  [[nodiscard]] int wal_pages(File file) const noexcept {
    return wal_pages_[static_cast<std::size_t>(file)];
  }

 private:
  Connection& connection(File file) { return *connections_[static_cast<std::size_t>(file)]; }
  void open(const std::filesystem::path& dir, const StoreOptions& options, File file);

  std::array<int, kFiles> wal_pages_{};  // before the connections, whose hooks write it
  std::array<std::unique_ptr<Connection>, kFiles> connections_;
  std::array<std::unique_ptr<EventRowWriter>, kFiles> event_rows_;
  std::unique_ptr<SqliteTransaction> transaction_;
  std::unique_ptr<Statement> begin_, commit_;
  std::uint64_t next_seq_ = 0;
  std::int64_t last_event_ms_ = 0;
};

}  // namespace cardvault::store
