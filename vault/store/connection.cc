#include "vault/store/connection.h"

#include <cerrno>

#include "vault/store/statement.h"
#include "vault/store/unlocked_map.h"

namespace cardvault::store {

std::unexpected<base::Error> sqlite_failure(sqlite3* db, int code, const char* operation) {
  const int extended = db != nullptr ? sqlite3_extended_errcode(db) : code;
  const int cause = db != nullptr ? sqlite3_system_errno(db) : 0;
  base::Code kind = base::Code::kStoreFailed;
  const bool io_error = (code & 0xFF) == SQLITE_IOERR;
  // That the index of the WAL can't grow comes without a cause.
  const bool full = (code & 0xFF) == SQLITE_FULL || extended == SQLITE_IOERR_SHMSIZE;
  if (full || (io_error && (cause == ENOSPC || cause == EDQUOT))) {
    kind = base::Code::kStorageFull;
  } else if ((code & 0xFF) == SQLITE_CONSTRAINT) {
    kind = base::Code::kConflict;
  }
  return base::fail(kind, operation, extended == SQLITE_OK ? code : extended);
}

base::Result<std::unique_ptr<Connection>> Connection::open(const std::string& path,
                                                           const ConnectionOptions& options) {
  const int flags =
      (options.access == Access::kWrite ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) |
      SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_PRIVATECACHE;
  leave_maps_unlocked();
  sqlite3* db = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &db, flags, options.vfs);
  std::unique_ptr<Connection> connection(new Connection(db));  // closes even when open failed
  if (code != SQLITE_OK) return sqlite_failure(db, code, "open database");
  auto configured = connection->configure(options);
  if (!configured) return std::unexpected(configured.error());
  return connection;
}

Connection::~Connection() { sqlite3_close_v2(db_); }

base::Result<void> Connection::configure(const ConnectionOptions& options) {
  sqlite3_extended_result_codes(db_, 1);
  sqlite3_busy_timeout(db_, static_cast<int>(options.busy_timeout_ms));
  sqlite3_db_config(db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  auto done = execute(
      "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY;"
      "PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON; PRAGMA wal_autocheckpoint=0;"
      "PRAGMA synchronous=FULL",
      "configure database");
  if (!done) return done;
  const std::string sizes = "PRAGMA mmap_size=" + std::to_string(options.mmap_bytes) +
                            "; PRAGMA cache_size=-" + std::to_string(options.cache_kib);
  done = execute(sizes.c_str(), "configure database");
  if (!done || options.access == Access::kRead) return done;
  return execute("PRAGMA journal_mode=WAL", "switch to WAL");
}

base::Result<void> Connection::execute(const char* sql, const char* operation) {
  const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return sqlite_failure(db_, code, operation);
  return {};
}

base::Result<std::int64_t> Connection::integer(const char* sql, const char* operation) {
  Statement statement(*this, sql);
  Query query(statement);
  const auto row = query.step(operation);
  if (!row) return std::unexpected(row.error());
  return *row ? query.integer(0) : 0;
}

void Connection::rollback() noexcept {
  if (in_transaction()) sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
}

}  // namespace cardvault::store
