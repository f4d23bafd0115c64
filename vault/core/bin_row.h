// One row of the BIN table: its checks when read from a file, and its compact form.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "vault/core/bin_table.h"

namespace cardvault::core {

inline constexpr std::size_t kMinBinDigits = 4;
inline constexpr std::size_t kMaxBinDigits = 11;

// Texts of a table, each kept once: 350,000 rows name a few thousand banks. Number 0 is "".
class BinTexts {
 public:
  BinTexts() { static_cast<void>(intern("")); }
  [[nodiscard]] std::uint32_t intern(std::string_view text);
  [[nodiscard]] std::string_view at(std::uint32_t number) const noexcept {
    return std::string_view(pool_).substr(starts_[number], starts_[number + 1] - starts_[number]);
  }
  [[nodiscard]] std::uint32_t size() const noexcept {
    return static_cast<std::uint32_t>(starts_.size() - 1);
  }
  // Frees what only intern() needs.
  void close() {
    numbers_ = {};
    pool_.shrink_to_fit();
  }

 private:
  std::string pool_;
  std::vector<std::uint32_t> starts_ = {0};
  std::unordered_map<std::string, std::uint32_t> numbers_;
};

struct BinRow {
  std::uint64_t low = 0, high = 0;  // first and last 11-digit number that begins with the range
  std::array<char, kMaxBinDigits> start{}, end{};
  std::uint8_t prefix = 0;  // digits in start and end
  std::uint8_t length = 0;  // of a PAN; 0: any
  bool prepaid = false, luhn = true;
  std::uint32_t scheme = 0, brand = 0, type = 0, country = 0, currency = 0, bank = 0;  // BinTexts

  [[nodiscard]] std::string_view start_text() const noexcept { return {start.data(), prefix}; }
  [[nodiscard]] std::string_view end_text() const noexcept { return {end.data(), prefix}; }
  // Sets low and high from the other fields. False when those are no row: digits, lengths, order.
  // Text numbers are the table's business.
  [[nodiscard]] bool complete() noexcept;
};

// Which column of a file is which, from its header.
class BinColumns {
 public:
  // On a header that can't be used: says why.
  [[nodiscard]] std::optional<std::string> read(const std::vector<std::string>& header);
  // A row from a record, or what is wrong with it.
  [[nodiscard]] std::expected<BinRow, std::string> row(const std::vector<std::string>& fields,
                                                       BinTexts& texts) const;

 private:
  enum Column {
    kStart,
    kEnd,
    kLength,
    kLuhn,
    kScheme,
    kBrand,
    kType,
    kPrepaid,
    kCountry,
    kBank,
    kCurrency,
    kColumns
  };
  static constexpr std::array<std::string_view, kColumns> kNames = {
      "iin_start", "iin_end", "number_length", "number_luhn", "scheme",  "brand",
      "type",      "prepaid", "country",       "bank_name",   "currency"};

  [[nodiscard]] std::string_view field(const std::vector<std::string>& fields, Column column) const;
  // What is wrong with the range or the length; "" when nothing is.
  [[nodiscard]] std::string read_range(const std::vector<std::string>& fields, BinRow& row) const;

  std::array<std::size_t, kColumns> at_{};  // position + 1; 0: no such column
  std::size_t count_ = 0;
};

}  // namespace cardvault::core
