#include "vault/store/statement.h"

namespace cardvault::store {

Query::Query(Statement& statement) : statement_(statement) {
  if (statement_.statement_ == nullptr) {
    code_ = sqlite3_prepare_v3(statement_.db_, statement_.sql_, -1, SQLITE_PREPARE_PERSISTENT,
                               &statement_.statement_, nullptr);
  }
}

Query::~Query() { sqlite3_reset(statement_.statement_); }

Query& Query::bind(std::int64_t value) {
  bound(sqlite3_bind_int64(statement_.statement_, next_++, value));
  return *this;
}

Query& Query::bind(std::span<const std::uint8_t> blob) {
  // A null pointer would bind NULL, not an empty blob.
  const void* data = blob.empty() ? static_cast<const void*>("") : blob.data();
  bound(sqlite3_bind_blob64(statement_.statement_, next_++, data, blob.size(), SQLITE_STATIC));
  return *this;
}

Query& Query::bind(std::string_view text) {
  const char* data = text.empty() ? "" : text.data();
  bound(sqlite3_bind_text64(statement_.statement_, next_++, data, text.size(), SQLITE_STATIC,
                            SQLITE_UTF8));
  return *this;
}

base::Result<bool> Query::step(const char* operation) {
  if (code_ != SQLITE_OK) return sqlite_failure(nullptr, code_, operation);
  const int code = sqlite3_step(statement_.statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return sqlite_failure(statement_.db_, code, operation);
}

base::Result<void> Query::run(const char* operation) {
  const auto row = step(operation);
  if (!row) return std::unexpected(row.error());
  return {};
}

std::int64_t Query::integer(int column) const {
  return sqlite3_column_int64(statement_.statement_, column);
}

std::span<const std::uint8_t> Query::blob(int column) const {
  const auto* data =
      static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_.statement_, column));
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_.statement_, column))};
}

std::string_view Query::text(int column) const {
  const auto* data =
      reinterpret_cast<const char*>(sqlite3_column_text(statement_.statement_, column));
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_.statement_, column))};
}

}  // namespace cardvault::store
