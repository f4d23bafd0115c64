// A connection to one SQLite file, with the house's settings.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>

#include "vault/base/result.h"

namespace cardvault::store {

// The extended result code as an Error: kStorageFull when the disk has no room (SQLITE_FULL,
// ENOSPC, EDQUOT), kConflict for a constraint, else kStoreFailed. `db` may be null.
[[nodiscard]] std::unexpected<base::Error> sqlite_failure(sqlite3* db, int code,
                                                          const char* operation);

enum class Access : std::uint8_t { kRead, kWrite };

struct ConnectionOptions {
  Access access = Access::kRead;
  std::int64_t mmap_bytes = 0;
  std::int64_t cache_kib = 8192;
  std::uint32_t busy_timeout_ms = 5000;
  const char* vfs = nullptr;  // null: the default one; tests inject faults
};

// WAL, synchronous=FULL, secure_delete, cell size checks, an untrusted schema, no checkpoints of
// its own (checkpointer.h). Belongs to one thread at a time.
class Connection {
 public:
  // The file must exist; a writer turns it to WAL.
  [[nodiscard]] static base::Result<std::unique_ptr<Connection>> open(
      const std::string& path, const ConnectionOptions& options);
  ~Connection();
  Connection(const Connection&) = delete;             // statements point at it
  Connection& operator=(const Connection&) = delete;  // statements point at it

  [[nodiscard]] sqlite3* handle() const noexcept { return db_; }
  // Runs statements that return nothing of interest.
  [[nodiscard]] base::Result<void> execute(const char* sql, const char* operation);
  // The first column of the first row, 0 when there is none.
  [[nodiscard]] base::Result<std::int64_t> integer(const char* sql, const char* operation);
  [[nodiscard]] bool in_transaction() const noexcept { return sqlite3_get_autocommit(db_) == 0; }
  // Ends a transaction without keeping anything; an error leaves nothing to do but close.
  void rollback() noexcept;

 private:
  explicit Connection(sqlite3* db) : db_(db) {}
  [[nodiscard]] base::Result<void> configure(const ConnectionOptions& options);
  sqlite3* db_;
};

}  // namespace cardvault::store
