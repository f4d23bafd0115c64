#include "vault/core/bin_row.h"

#include <algorithm>

#include "vault/base/check.h"
#include "vault/core/bin_csv.h"
#include "vault/core/pan.h"

namespace cardvault::core {
namespace {

constexpr std::size_t kMaxText = 255;  // bytes; its length is stored in one

bool all_digits(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

std::string in_case(std::string_view text, char from, char to) {
  std::string out(text);
  for (char& c : out) {
    if (c >= from && c <= from + 25) c = static_cast<char>(c - from + to);
  }
  return out;
}
std::string lower(std::string_view text) { return in_case(text, 'A', 'a'); }
std::string upper(std::string_view text) { return in_case(text, 'a', 'A'); }

bool letters(std::string_view text, std::size_t count) noexcept {
  return text.size() == count &&
         std::ranges::all_of(text, [](char c) { return c >= 'A' && c <= 'Z'; });
}

// "" keeps what `value` holds.
bool read_flag(std::string_view text, bool& value) {
  const std::string word = lower(text);
  if (word.empty()) return true;
  if (word == "y" || word == "yes" || word == "true" || word == "1") {
    value = true;
    return true;
  }
  value = false;
  return word == "n" || word == "no" || word == "false" || word == "0";
}

std::uint64_t padded(std::string_view digits, char pad) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < kMaxBinDigits; ++i) {
    value = value * 10 + static_cast<std::uint64_t>((i < digits.size() ? digits[i] : pad) - '0');
  }
  return value;
}

}  // namespace

std::uint32_t BinTexts::intern(std::string_view text) {
  const auto [found, added] = numbers_.try_emplace(std::string(text), size());
  if (added) {
    pool_ += text;
    starts_.push_back(static_cast<std::uint32_t>(pool_.size()));
  }
  return found->second;
}

bool BinRow::complete() noexcept {
  if (prefix < kMinBinDigits || prefix > kMaxBinDigits || !all_digits(start_text()) ||
      !all_digits(end_text()) || start_text() > end_text() ||
      (length != 0 && (length < Pan::kMinDigits || length > Pan::kMaxDigits))) {
    return false;
  }
  low = padded(start_text(), '0');
  high = padded(end_text(), '9');
  return true;
}

std::optional<std::string> BinColumns::read(const std::vector<std::string>& header) {
  count_ = header.size();
  for (std::size_t i = 0; i < header.size(); ++i) {
    const auto* name = std::ranges::find(kNames, std::string_view(header[i]));
    if (name == kNames.end()) continue;
    std::size_t& at = at_[static_cast<std::size_t>(name - kNames.begin())];
    if (at != 0) return "the header names column " + std::string(*name) + " twice";
    at = i + 1;
  }
  if (at_[kStart] == 0) return "the header has no column iin_start";
  return std::nullopt;
}

std::string_view BinColumns::field(const std::vector<std::string>& fields, Column column) const {
  return at_[column] == 0 ? std::string_view() : std::string_view(fields[at_[column] - 1]);
}

std::string BinColumns::read_range(const std::vector<std::string>& fields, BinRow& row) const {
  const std::string_view start = field(fields, kStart);
  const std::string_view end = field(fields, kEnd).empty() ? start : field(fields, kEnd);
  if (!all_digits(start)) return "iin_start is not digits only";
  if (!all_digits(end)) return "iin_end is not digits only";
  if (start.size() < kMinBinDigits || start.size() > kMaxBinDigits) {
    return "iin_start has not 4 to 11 digits";
  }
  if (start.size() != end.size()) return "iin_start and iin_end differ in their number of digits";
  if (start > end) return "iin_start is above iin_end";
  std::ranges::copy(start, row.start.begin());
  std::ranges::copy(end, row.end.begin());
  row.prefix = static_cast<std::uint8_t>(start.size());

  const std::string_view length = field(fields, kLength);
  if (!length.empty()) {
    if (length.size() != 2 || !all_digits(length)) return "number_length is not 12 to 19";
    row.length = static_cast<std::uint8_t>((length[0] - '0') * 10 + length[1] - '0');
    if (row.length < Pan::kMinDigits || row.length > Pan::kMaxDigits) {
      return "number_length is not 12 to 19";
    }
  }
  return {};
}

std::expected<BinRow, std::string> BinColumns::row(const std::vector<std::string>& fields,
                                                   BinTexts& texts) const {
  if (fields.size() != count_) {
    return std::unexpected(std::to_string(fields.size()) + " columns, the header has " +
                           std::to_string(count_));
  }
  for (const std::string& text : fields) {
    if (!valid_utf8(text)) return std::unexpected("not UTF-8");
  }
  BinRow row;
  if (std::string wrong = read_range(fields, row); !wrong.empty()) return std::unexpected(wrong);
  if (!read_flag(field(fields, kLuhn), row.luhn)) {
    return std::unexpected("number_luhn is neither yes nor no");
  }
  if (!read_flag(field(fields, kPrepaid), row.prepaid)) {
    return std::unexpected("prepaid is neither yes nor no");
  }
  const std::string country = upper(field(fields, kCountry));
  if (!country.empty() && !letters(country, 2)) {
    return std::unexpected("country is not two letters (ISO 3166-1 alpha-2)");
  }
  const std::string currency = upper(field(fields, kCurrency));
  if (!currency.empty() && !letters(currency, 3)) {
    return std::unexpected("currency is not three letters (ISO 4217)");
  }
  for (const Column column : {kScheme, kBrand, kType, kBank}) {
    const std::string_view text = field(fields, column);
    if (text.size() > kMaxText) {
      return std::unexpected(std::string(kNames[column]) + " is longer than 255 bytes");
    }
    if (std::ranges::any_of(text, [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; })) {
      return std::unexpected(std::string(kNames[column]) + " holds a control character");
    }
  }
  row.country = texts.intern(country);
  row.currency = texts.intern(currency);
  row.scheme = texts.intern(lower(field(fields, kScheme)));
  row.brand = texts.intern(field(fields, kBrand));
  row.type = texts.intern(lower(field(fields, kType)));
  row.bank = texts.intern(field(fields, kBank));
  CARDVAULT_CHECK(row.complete());
  return row;
}

}  // namespace cardvault::core
