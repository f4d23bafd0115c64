// The BIN table: who issued a card, from its leading digits.
#pragma once

#include <cstdint>
#include <istream>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vault/base/result.h"
#include "vault/core/pan.h"

namespace cardvault::core {

// What a row says. Text lives in the table that gave the row.
struct BinInfo {
  std::string_view scheme;    // "visa", lower case; "" when unknown
  std::string_view brand;     // as in the file
  std::string_view type;      // "debit", "credit", ""
  std::string_view country;   // ISO 3166-1 alpha-2, upper case; "" when unknown
  std::string_view currency;  // ISO 4217 alpha-3, upper case; "" when unknown
  std::string_view bank;
  bool prepaid = false;
  bool luhn = true;              // false: numbers of this row carry no check digit
  std::uint8_t length = 0;       // digits of a PAN; 0 when the row doesn't say
  std::string_view range_start;  // leading digits as in the file
  std::string_view range_end;
};

// One thing wrong with a file: `line` counts from 1 (the header is line 1).
struct BinProblem {
  std::size_t line = 0;
  std::string what;  // never the line's own text: files are public, but habits matter
};

// Immutable once made; lookups are thread-safe and take under a microsecond.
class BinTable {
 public:
  BinTable();
  ~BinTable();
  BinTable(BinTable&&) noexcept;
  BinTable& operator=(BinTable&&) noexcept;

  // Reads the public ranges.csv layout, by header names: iin_start, iin_end (may be empty: a single
  // prefix), number_length, number_luhn, scheme, brand, type, prepaid, country, bank_name, optional
  // currency; further columns (bank_logo, bank_url, bank_phone, bank_city …) are ignored. RFC 4180
  // quoting, CRLF or LF, UTF-8 BOM allowed. Prefixes are 4..11 digits, both ends of equal length.
  // All or nothing: on any bad row returns the problems (at most 100) and no table.
  static std::expected<BinTable, std::vector<BinProblem>> read_csv(std::istream& in);

  // A compact binary form for the store, and back; kInvalidArgument on anything not made by it.
  [[nodiscard]] std::vector<std::uint8_t> serialize() const;
  static base::Result<BinTable> deserialize(std::span<const std::uint8_t> bytes);

  // The longest prefix that matches; of equally long ones the narrowest range, of equally narrow
  // ones the one that begins later, of equal ones the one that names a length. A row whose
  // number_length differs from the PAN's is skipped when another row matches. Fewer than 11 digits
  // (what an operator knows of a number) match rows of at most that many, whatever the length, by a
  // scan.
  [[nodiscard]] std::optional<BinInfo> find(std::string_view digits) const;
  [[nodiscard]] std::size_t size() const noexcept;

 private:
  struct Impl;
  explicit BinTable(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cardvault::core
