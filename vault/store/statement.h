// Prepared statements: a Statement is kept as long as its connection, a Query is one run of it.
#pragma once

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "vault/base/result.h"
#include "vault/store/connection.h"

namespace cardvault::store {

// Compiled on first use, kept for the connection's life. Same thread as its connection.
class Statement {
 public:
  Statement(Connection& connection, const char* sql) : db_(connection.handle()), sql_(sql) {}
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;             // one compiled program
  Statement& operator=(const Statement&) = delete;  // one compiled program

 private:
  friend class Query;
  sqlite3* db_;
  const char* sql_;
  sqlite3_stmt* statement_ = nullptr;
};

// One run: bind from 1 on, step, read columns from 0 on; reset at its end. What is bound, and
// columns read as spans, must outlive the next step or the Query. Errors of binding turn up in
// step().
class Query {
 public:
  explicit Query(Statement& statement);
  ~Query();
  Query(const Query&) = delete;             // ends the run once
  Query& operator=(const Query&) = delete;  // ends the run once

  Query& bind(std::int64_t value);
  Query& bind(std::span<const std::uint8_t> blob);
  Query& bind(std::string_view text);
  template <std::size_t N>
  Query& bind(const std::array<std::uint8_t, N>& blob) {
    return bind(std::span<const std::uint8_t>(blob));
  }

  // True: a row is there to be read. False: the statement is finished.
  [[nodiscard]] base::Result<bool> step(const char* operation);
  // For statements without rows.
  [[nodiscard]] base::Result<void> run(const char* operation);

  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::span<const std::uint8_t> blob(int column) const;
  [[nodiscard]] std::string_view text(int column) const;
  [[nodiscard]] std::vector<std::uint8_t> bytes(int column) const {
    const auto data = blob(column);
    return {data.begin(), data.end()};
  }
  // False when the column's blob has another length: the row is damaged.
  template <std::size_t N>
  [[nodiscard]] bool fixed(int column, std::array<std::uint8_t, N>& out) const {
    const auto data = blob(column);
    if (data.size() != N) return false;
    std::copy(data.begin(), data.end(), out.begin());
    return true;
  }

 private:
  void bound(int code) {
    if (code != SQLITE_OK && code_ == SQLITE_OK) code_ = code;
  }
  Statement& statement_;
  int code_ = SQLITE_OK;
  int next_ = 1;
};

}  // namespace cardvault::store
