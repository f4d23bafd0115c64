// Lookups on a read-only connection of their own.
#pragma once

#include <memory>

#include "vault/store/connection.h"
#include "vault/store/lookups.h"

namespace cardvault::store {

// One thread's view of vault.db. Between begin() and end() every lookup sees one state of the file
// and costs no lock; outside each sees the newest. Keep transactions short: an open one holds back
// the checkpoints. Belongs to one thread.
class SqliteReader : public WithLookups<core::Reader> {
 public:
  explicit SqliteReader(std::unique_ptr<Connection> connection)
      : WithLookups(*connection),
        connection_(std::move(connection)),
        begin_(*connection_, "BEGIN"),
        end_(*connection_, "COMMIT") {}
  // The lookups' statements, in the base, outlive the connection: sqlite3_close_v2 waits for them.

  // Starts a read transaction; the snapshot is taken by its first lookup. kStoreFailed.
  [[nodiscard]] base::Result<void> begin() { return Query(begin_).run("begin reading"); }
  // Ends it; harmless when none is open.
  void end() {
    if (!connection_->in_transaction()) return;
    if (!Query(end_).run("end reading")) connection_->rollback();
  }

 private:
  std::unique_ptr<Connection> connection_;
  Statement begin_, end_;
};

}  // namespace cardvault::store
