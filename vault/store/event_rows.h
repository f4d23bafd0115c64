// The `events` tables: one row per group commit, in whichever file the group went to.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "vault/base/result.h"
#include "vault/store/statement.h"

namespace cardvault::store {

// The named value that says how many events are in the published log: 8 bytes, little-endian, then
// that log's checkpoint. Events below may be gone from both files.
inline constexpr std::string_view kPublishedValue = "published";
[[nodiscard]] std::uint64_t read_published(Connection& vault);

// Writes and deletes one file's rows. Same thread as the connection.
class EventRowWriter {
 public:
  explicit EventRowWriter(Connection& connection);
  [[nodiscard]] base::Result<void> append(std::uint64_t first_seq, std::uint64_t count,
                                          std::string_view leaves);
  // Deletes at most `limit` rows, the oldest first, whose events are all below `below`: returns how
  // many. Outside of a transaction.
  [[nodiscard]] base::Result<std::size_t> forget(std::uint64_t below, std::size_t limit);

 private:
  Connection& connection_;
  Statement insert_, delete_;
};

// The number after the last event of both files. Up to `published` the log is already in its final
// place, so rows below may be gone; from there on each number must be in exactly one file. Throws
// StartupError naming the gap or overlap, or the SQLite error.
[[nodiscard]] std::uint64_t find_next_seq(Connection& vault, Connection& reveal,
                                          std::uint64_t published);

// The time of a file's last event; 0 when it has none that can be read.
[[nodiscard]] std::int64_t last_event_ms(Connection& connection);

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
