#include "vault/store/event_rows.h"

#include <array>
#include <limits>
#include <optional>

#include "vault/audit/event_codec.h"
#include "vault/audit/leaves.h"
#include "vault/base/secret.h"

namespace cardvault::store {
namespace {

// From the row that holds number ?1, or the first one after it.
constexpr const char* kRowsFrom =
    "SELECT first_seq, count, leaves FROM events WHERE first_seq >= coalesce("
    "(SELECT max(first_seq) FROM events WHERE first_seq <= ?1), 0) ORDER BY first_seq";
constexpr const char* kSpans = "SELECT first_seq, count FROM events ORDER BY first_seq";

// Two tables' rows in the order of first_seq.
class MergedRows {
 public:
  MergedRows(Query& a, Query& b) : queries_{&a, &b} {}

  // The query that stands on the next row, null at the end.
  base::Result<Query*> next() {
    for (const std::size_t i : {0U, 1U}) {
      if (!wanted_[i]) continue;
      const auto row = queries_[i]->step("read events");
      if (!row) return std::unexpected(row.error());
      wanted_[i] = false;
      first_[i] = *row ? queries_[i]->integer(0) : kEnd;
    }
    const std::size_t least = first_[1] < first_[0] ? 1 : 0;
    if (first_[least] == kEnd) return nullptr;
    wanted_[least] = true;
    return queries_[least];
  }

 private:
  static constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max();
  std::array<Query*, 2> queries_;
  std::array<bool, 2> wanted_ = {true, true};
  std::array<std::int64_t, 2> first_ = {kEnd, kEnd};
};

[[noreturn]] void refuse(const std::string& what) {
  throw base::StartupError(
      "the audit log in vault.db and reveal.db " + what +
      ". The vault stays sealed: someone removed or restored one of the files, or changed them. "
      "Put both files back as they were together, or restore a backup; keep the present ones for "
      "the investigation");
}

}  // namespace

std::uint64_t read_published(Connection& vault) {
  Statement statement(vault, "SELECT value FROM named_values WHERE name=?");
  Query query(statement);
  const auto row = query.bind(kPublishedValue).step("read what is published");
  std::uint64_t published = 0;
  if (!row || !*row || query.blob(0).size() < sizeof published) return 0;
  for (std::size_t i = 0; i < sizeof published; ++i) {
    published |= std::uint64_t{query.blob(0)[i]} << (8 * i);
  }
  return published;
}

std::int64_t last_event_ms(Connection& connection) {
  Statement statement(connection, "SELECT leaves FROM events ORDER BY first_seq DESC LIMIT 1");
  Query query(statement);
  const auto row = query.step("read last event");
  if (!row || !*row) return 0;
  audit::LeafReader leaves(base::as_text(query.blob(0)));
  std::int64_t last = 0;
  for (auto line = leaves.next(); line && *line; line = leaves.next()) {
    if (const auto head = audit::check_event(**line)) last = head->time_ms;
  }
  return last;
}

EventRowWriter::EventRowWriter(Connection& connection)
    : connection_(connection),
      insert_(connection, "INSERT INTO events(first_seq, count, leaves) VALUES(?,?,?)"),
      delete_(connection,
              "DELETE FROM events WHERE first_seq IN (SELECT first_seq FROM events "
              "WHERE first_seq < ?1 AND first_seq + count <= ?1 ORDER BY first_seq LIMIT ?2)") {}

base::Result<void> EventRowWriter::append(std::uint64_t first_seq, std::uint64_t count,
                                          std::string_view leaves) {
  Query query(insert_);
  query.bind(static_cast<std::int64_t>(first_seq)).bind(static_cast<std::int64_t>(count));
  return query.bind(base::as_bytes(leaves)).run("append events");
}

base::Result<std::size_t> EventRowWriter::forget(std::uint64_t below, std::size_t limit) {
  // They hold no card and stay in the published log: overwriting them would double the writing.
  if (auto done = connection_.execute("PRAGMA secure_delete=FAST", "forget events"); !done) {
    return std::unexpected(done.error());
  }
  base::Result<void> done;
  {
    Query query(delete_);
    query.bind(static_cast<std::int64_t>(below)).bind(static_cast<std::int64_t>(limit));
    done = query.run("forget events");
  }
  const auto again = connection_.execute("PRAGMA secure_delete=ON", "forget events");
  if (!done || !again) return std::unexpected((done ? again : done).error());
  return static_cast<std::size_t>(sqlite3_changes(connection_.handle()));
}

std::uint64_t find_next_seq(Connection& vault, Connection& reveal, std::uint64_t published) {
  Statement vault_spans(vault, kSpans), reveal_spans(reveal, kSpans);
  Query a(vault_spans), b(reveal_spans);
  MergedRows rows(a, b);
  std::uint64_t next = published;
  bool first = true;
  while (true) {
    const auto row = rows.next();
    if (!row) {
      throw base::StartupError("reading the audit log failed (SQLite error " +
                               std::to_string(row.error().number) +
                               "): check the disk, then start again");
    }
    if (*row == nullptr) return next;
    const auto begin = static_cast<std::uint64_t>((*row)->integer(0));
    const auto end = begin + static_cast<std::uint64_t>((*row)->integer(1));
    if (end <= published) continue;  // not deleted yet
    if (begin > next) {
      refuse("has no events " + std::to_string(next) + " to " + std::to_string(begin - 1));
    }
    if (begin < next && !first) refuse("has event " + std::to_string(begin) + " twice");
    next = end;
    first = false;
  }
}

EventReader::EventReader(std::unique_ptr<Connection> vault, std::unique_ptr<Connection> reveal)
    : vault_connection_(std::move(vault)),
      reveal_connection_(std::move(reveal)),
      vault_rows_(*vault_connection_, kRowsFrom),
      reveal_rows_(*reveal_connection_, kRowsFrom) {}

base::Result<std::vector<LogLine>> EventReader::read(std::uint64_t from, std::size_t limit) {
  std::vector<LogLine> lines;
  Query a(vault_rows_), b(reveal_rows_);
  a.bind(static_cast<std::int64_t>(from));
  b.bind(static_cast<std::int64_t>(from));
  MergedRows rows(a, b);
  std::optional<std::uint64_t> expected;
  while (lines.size() < limit) {
    const auto row = rows.next();
    if (!row) return std::unexpected(row.error());
    if (*row == nullptr) break;
    auto seq = static_cast<std::uint64_t>((*row)->integer(0));
    const auto end = seq + static_cast<std::uint64_t>((*row)->integer(1));
    if (end <= from) continue;
    // The two files are looked at one after the other: a group between the looks is not seen yet.
    if (expected && seq != *expected) break;
    expected = end;
    audit::LeafReader leaves(base::as_text((*row)->blob(2)));
    for (; seq < end && lines.size() < limit; ++seq) {
      const auto line = leaves.next();
      if (!line) return std::unexpected(line.error());
      if (!*line) return base::fail(base::Code::kRecordDamaged, "read events");
      if (seq >= from) lines.push_back({seq, std::string(**line)});
    }
  }
  return lines;
}

}  // namespace cardvault::store
