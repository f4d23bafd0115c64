// What the store's SELECTs have in common: columns into values, and rows into lists.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "vault/core/crypto.h"
#include "vault/store/statement.h"

namespace cardvault::store {

// A row whose columns make no sense.
[[nodiscard]] inline std::unexpected<base::Error> damaged(const char* operation) {
  return base::fail(base::Code::kRecordDamaged, operation);
}

template <class T>
[[nodiscard]] T narrow(const Query& query, int column) {
  return static_cast<T>(query.integer(column));
}

// Suite, IV and ciphertext in three columns from `column` on. False: an unknown suite.
[[nodiscard]] inline bool read_sealed(const Query& query, int column, core::Sealed& out) {
  out.suite = static_cast<core::Suite>(query.integer(column));
  out.iv = query.bytes(column + 1);
  out.ciphertext = query.bytes(column + 2);
  return out.suite == core::Suite::kAes256Gcm || out.suite == core::Suite::kAes256CbcHmacSha256;
}

// Reads a query's first row, if there is one, with `read`.
template <class Row>
[[nodiscard]] base::Result<std::optional<Row>> read_one(Query& query,
                                                        bool (*read)(const Query&, Row&),
                                                        const char* operation) {
  const auto found = query.step(operation);
  if (!found) return std::unexpected(found.error());
  if (!*found) return std::nullopt;
  std::optional<Row> row(std::in_place);
  if (!read(query, *row)) return damaged(operation);
  return row;
}

// Reads every row of a query with `read`.
template <class Row>
[[nodiscard]] base::Result<std::vector<Row>> read_all(Query& query,
                                                      bool (*read)(const Query&, Row&),
                                                      const char* operation) {
  std::vector<Row> rows;
  while (true) {
    const auto found = query.step(operation);
    if (!found) return std::unexpected(found.error());
    if (!*found) return rows;
    if (!read(query, rows.emplace_back())) return damaged(operation);
  }
}

}  // namespace cardvault::store
