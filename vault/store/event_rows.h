// The `events` tables: one row per group commit, in whichever file the group went to.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "vault/base/result.h"
#include "vault/store/statement.h"

namespace cardvault::store {

// Writes one group's row. Same thread as the connection.
class EventRowWriter {
 public:
  explicit EventRowWriter(Connection& connection);
  [[nodiscard]] base::Result<void> append(std::uint64_t first_seq, std::uint64_t count,
                                          std::string_view leaves);

 private:
  Statement insert_;
};

// The number after the last event of both files. Up to `published` the log is already in its final
// place, so rows below may be gone; from there on each number must be in exactly one file. Throws
// StartupError naming the gap or overlap, or the SQLite error.
[[nodiscard]] std::uint64_t find_next_seq(Connection& vault, Connection& reveal,
                                          std::uint64_t published);

struct LogLine {
  std::uint64_t seq = 0;
  std::string json;  // vault/audit/event_codec.h
};

// Reads the log across both files, on connections of its own. Belongs to one thread.
class EventReader {
 public:
  EventReader(std::unique_ptr<Connection> vault, std::unique_ptr<Connection> reveal);
  // Up to `limit` consecutive lines, beginning at `from`, or at the oldest one kept when that is
  // later; empty at the end. kStoreFailed, kRecordDamaged.
  [[nodiscard]] base::Result<std::vector<LogLine>> read(std::uint64_t from, std::size_t limit);

 private:
  std::unique_ptr<Connection> vault_connection_, reveal_connection_;
  Statement vault_rows_, reveal_rows_;
};

}  // namespace cardvault::store
