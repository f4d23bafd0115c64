#include "vault/core/bin_table.h"

#include <algorithm>

#include "vault/base/secret.h"
#include "vault/core/bin_file.h"
#include "vault/core/bin_index.h"
#include "vault/core/bin_row.h"
#include "vault/core/byte_form.h"

namespace cardvault::core {
namespace {

constexpr std::uint32_t kMagic = 0x43564254;  // "CVBT"
constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kPrepaidBit = 1, kLuhnBit = 2, kRangeBit = 4;

// FNV-1a: finds bytes that rotted or were cut off. Who can write the store can replace the table.
std::uint64_t checksum(std::span<const std::uint8_t> bytes) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const std::uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3U;
  return hash;
}

void write_row(ByteWriter& out, const BinRow& row) {
  const bool is_range = row.start != row.end;
  out.number(row.prefix);
  out.number(row.length);
  out.number(static_cast<std::uint8_t>((row.prepaid ? kPrepaidBit : 0) | (row.luhn ? kLuhnBit : 0) |
                                       (is_range ? kRangeBit : 0)));
  out.raw(base::as_bytes(row.start_text()));
  if (is_range) out.raw(base::as_bytes(row.end_text()));
  for (const std::uint32_t text :
       {row.scheme, row.brand, row.type, row.country, row.currency, row.bank}) {
    out.number(text);
  }
}

bool read_row(ByteReader& in, std::uint32_t texts, BinRow& row) {
  row.prefix = in.number<std::uint8_t>();
  row.length = in.number<std::uint8_t>();
  const auto flags = in.number<std::uint8_t>();
  if (row.prefix > kMaxBinDigits || flags > (kPrepaidBit | kLuhnBit | kRangeBit)) return false;
  row.prepaid = (flags & kPrepaidBit) != 0;
  row.luhn = (flags & kLuhnBit) != 0;
  std::ranges::copy(base::as_text(in.raw(row.prefix)), row.start.begin());
  row.end = row.start;
  if ((flags & kRangeBit) != 0) {
    std::ranges::copy(base::as_text(in.raw(row.prefix)), row.end.begin());
  }
  for (std::uint32_t* text :
       {&row.scheme, &row.brand, &row.type, &row.country, &row.currency, &row.bank}) {
    *text = in.number<std::uint32_t>();
    if (*text >= texts) return false;
  }
  return in.ok() && row.complete();
}

}  // namespace

struct BinTable::Impl {
  BinTexts texts;
  std::vector<BinRow> rows;  // better ones first
  BinIndex index;

  Impl() = default;
  Impl(BinTexts all_texts, std::vector<BinRow> all_rows)
      : texts(std::move(all_texts)), rows(std::move(all_rows)) {
    texts.close();
    rows.shrink_to_fit();
    std::ranges::sort(rows, better_row);
    index = BinIndex(rows);
  }
  [[nodiscard]] BinInfo info(const BinRow& row) const {
    return {texts.at(row.scheme),
            texts.at(row.brand),
            texts.at(row.type),
            texts.at(row.country),
            texts.at(row.currency),
            texts.at(row.bank),
            row.prepaid,
            row.luhn,
            row.length,
            row.start_text(),
            row.end_text()};
  }
};

BinTable::BinTable() : impl_(std::make_unique<Impl>()) {}
BinTable::BinTable(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BinTable::~BinTable() = default;
BinTable::BinTable(BinTable&&) noexcept = default;
BinTable& BinTable::operator=(BinTable&&) noexcept = default;

std::expected<BinTable, std::vector<BinProblem>> BinTable::read_csv(std::istream& in) {
  auto file = read_bin_file(in);
  if (!file) return std::unexpected(std::move(file.error()));
  return BinTable(std::make_unique<Impl>(std::move(file->texts), std::move(file->rows)));
}

std::vector<std::uint8_t> BinTable::serialize() const {
  ByteWriter body;
  body.number(impl_->texts.size());
  for (std::uint32_t i = 0; i < impl_->texts.size(); ++i) body.text(impl_->texts.at(i));
  body.number(static_cast<std::uint32_t>(impl_->rows.size()));
  for (const BinRow& row : impl_->rows) write_row(body, row);
  ByteWriter out;
  out.reserve(body.bytes().size() + 13);
  out.number(kMagic);
  out.number(kVersion);
  out.number(checksum(body.bytes()));
  out.raw(body.bytes());
  return std::move(out).take();
}

base::Result<BinTable> BinTable::deserialize(std::span<const std::uint8_t> bytes) {
  const auto refuse = [] {
    return base::fail(base::Code::kInvalidArgument, "BinTable::deserialize");
  };
  ByteReader in(bytes);
  if (in.number<std::uint32_t>() != kMagic || in.number<std::uint8_t>() != kVersion) {
    return refuse();
  }
  const auto sum = in.number<std::uint64_t>();
  if (!in.ok() || sum != checksum(in.rest())) return refuse();
  BinTexts texts;
  const auto text_count = in.number<std::uint32_t>();
  for (std::uint32_t i = 0; i < text_count && in.ok(); ++i) {
    if (texts.intern(in.text()) != i) return refuse();
  }
  const auto row_count = in.number<std::uint32_t>();
  if (!in.ok() || row_count > kMaxBinRows) return refuse();
  std::vector<BinRow> rows(row_count);
  for (BinRow& row : rows) {
    if (!read_row(in, texts.size(), row)) return refuse();
  }
  if (!in.at_end()) return refuse();
  return BinTable(std::make_unique<Impl>(std::move(texts), std::move(rows)));
}

std::optional<BinInfo> BinTable::find(std::string_view digits) const {
  if (!std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; })) return {};
  if (digits.size() < kMaxBinDigits) {
    // No PAN, but what an operator knows of one: rare, so a scan will do. Better rows come first.
    const auto found = std::ranges::find_if(impl_->rows, [&](const BinRow& row) {
      const std::string_view prefix = digits.substr(0, row.prefix);
      return row.prefix <= digits.size() && row.start_text() <= prefix && prefix <= row.end_text();
    });
    if (found == impl_->rows.end()) return {};
    return impl_->info(*found);
  }
  std::uint64_t key = 0;
  for (const char c : digits.substr(0, kMaxBinDigits)) {
    key = key * 10 + static_cast<std::uint64_t>(c - '0');
  }
  const auto matching = impl_->index.matching(key);
  if (matching.empty()) return {};
  for (const std::uint32_t at : matching) {
    const BinRow& row = impl_->rows[at];
    if (row.length == 0 || row.length == digits.size()) return impl_->info(row);
  }
  return impl_->info(impl_->rows[matching.front()]);
}

std::size_t BinTable::size() const noexcept { return impl_->rows.size(); }

}  // namespace cardvault::core
