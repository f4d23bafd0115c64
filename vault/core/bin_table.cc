#include "vault/core/bin_table.h"

#include <algorithm>
#include <numeric>

#include "vault/base/secret.h"
#include "vault/core/bin_csv.h"
#include "vault/core/bin_index.h"
#include "vault/core/bin_row.h"
#include "vault/core/byte_form.h"

namespace cardvault::core {
namespace {

constexpr std::size_t kMaxProblems = 100;
constexpr std::size_t kMaxRows = 2'000'000;
constexpr std::uint32_t kMagic = 0x43564254;  // "CVBT"
constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kPrepaidBit = 1, kLuhnBit = 2, kRangeBit = 4;

// FNV-1a: finds bytes that rotted or were cut off. Who can write the store can replace the table.
std::uint64_t checksum(std::span<const std::uint8_t> bytes) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const std::uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3U;
  return hash;
}

std::string status_text(CsvReader::Status status) {
  switch (status) {
    case CsvReader::Status::kStrayQuote:
      return "a quote in an unquoted field or after a quoted one";
    case CsvReader::Status::kUnclosed:
      return "a quoted field is not closed before the file ends";
    case CsvReader::Status::kTooLong:
      return "a row of more than 64 KiB: is a quote not closed?";
    case CsvReader::Status::kReadFailed:
      return "the file can't be read from here on";
    case CsvReader::Status::kRecord:
    case CsvReader::Status::kEnd:
      break;
  }
  return "";
}

bool same_key(const BinRow& a, const BinRow& b) noexcept {
  return a.prefix == b.prefix && a.start == b.start && a.end == b.end && a.length == b.length;
}

// What a file says, while it is being read.
struct BinFile {
  BinTexts texts;
  std::vector<BinRow> rows;
  std::vector<std::size_t> lines;  // of the rows
  std::vector<BinProblem> problems;

  // False: enough problems, or nothing more to read.
  bool read_row(CsvReader& reader, const BinColumns& columns, std::vector<std::string>& fields);
  void find_duplicates();
};

bool BinFile::read_row(CsvReader& reader, const BinColumns& columns,
                       std::vector<std::string>& fields) {
  if (problems.size() >= kMaxProblems) return false;
  const CsvReader::Status status = reader.next(fields);
  if (status == CsvReader::Status::kEnd) return false;
  if (status != CsvReader::Status::kRecord) {
    problems.push_back({reader.line(), status_text(status)});
    return status == CsvReader::Status::kStrayQuote;
  }
  if (rows.size() == kMaxRows) {
    problems.push_back({reader.line(), "more than 2,000,000 rows"});
    return false;
  }
  if (auto row = columns.row(fields, texts)) {
    rows.push_back(*row);
    lines.push_back(reader.line());
  } else {
    problems.push_back({reader.line(), std::move(row.error())});
  }
  return true;
}

void BinFile::find_duplicates() {
  std::vector<std::uint32_t> order(rows.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::stable_sort(
      order, [&](std::uint32_t a, std::uint32_t b) { return better_row(rows[a], rows[b]); });
  std::vector<BinProblem> found;
  std::size_t first = 0;  // of the rows with the same key
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (same_key(rows[order[first]], rows[order[i]])) {
      found.push_back({lines[order[i]], "the same range and length as in line " +
                                            std::to_string(lines[order[first]])});
    } else {
      first = i;
    }
  }
  problems.insert(problems.end(), found.begin(), found.end());
  std::ranges::stable_sort(problems, {}, &BinProblem::line);
  if (problems.size() > kMaxProblems) problems.resize(kMaxProblems);
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
  return in.ok() && row.well_formed();
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
  CsvReader reader(in);
  std::vector<std::string> fields;
  if (const auto status = reader.next(fields); status != CsvReader::Status::kRecord) {
    const bool empty = status == CsvReader::Status::kEnd;
    return std::unexpected(
        std::vector{BinProblem{reader.line(), empty ? "the file is empty" : status_text(status)}});
  }
  BinColumns columns;
  if (auto wrong = columns.read(fields)) {
    return std::unexpected(std::vector{BinProblem{reader.line(), std::move(*wrong)}});
  }
  BinFile file;
  while (file.read_row(reader, columns, fields)) {
  }
  file.find_duplicates();
  if (file.rows.empty() && file.problems.empty()) {
    file.problems.push_back({reader.line(), "no rows below the header"});
  }
  if (!file.problems.empty()) return std::unexpected(std::move(file.problems));
  return BinTable(std::make_unique<Impl>(std::move(file.texts), std::move(file.rows)));
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
  if (!in.ok() || row_count > kMaxRows) return refuse();
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
