#include "vault/core/bin_file.h"

#include <algorithm>
#include <numeric>

#include "vault/core/bin_csv.h"
#include "vault/core/bin_index.h"

namespace cardvault::core {
namespace {

constexpr std::size_t kMaxProblems = 100;

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

class Reading {
 public:
  explicit Reading(std::istream& in) : reader_(in) {}

  // False, with a problem, when there is no header to read rows by.
  bool read_header();
  // False: enough problems, or nothing more to read.
  bool read_row();
  void find_duplicates();
  [[nodiscard]] std::expected<BinFile, std::vector<BinProblem>> finish();

 private:
  void add_problem(std::string what) { problems_.push_back({reader_.line(), std::move(what)}); }

  CsvReader reader_;
  BinColumns columns_;
  std::vector<std::string> fields_;
  BinFile file_;
  std::vector<std::size_t> lines_;  // of the rows
  std::vector<BinProblem> problems_;
};

bool Reading::read_header() {
  const CsvReader::Status status = reader_.next(fields_);
  if (status == CsvReader::Status::kRecord) {
    auto wrong = columns_.read(fields_);
    if (!wrong) return true;
    add_problem(std::move(*wrong));
  } else {
    add_problem(status == CsvReader::Status::kEnd ? "the file is empty" : status_text(status));
  }
  return false;
}

bool Reading::read_row() {
  if (problems_.size() >= kMaxProblems) return false;
  const CsvReader::Status status = reader_.next(fields_);
  if (status == CsvReader::Status::kEnd) return false;
  if (status != CsvReader::Status::kRecord) {
    add_problem(status_text(status));
    return status == CsvReader::Status::kStrayQuote;
  }
  if (file_.rows.size() == kMaxBinRows) {
    add_problem("more than 2,000,000 rows");
    return false;
  }
  if (auto row = columns_.row(fields_, file_.texts)) {
    file_.rows.push_back(*row);
    lines_.push_back(reader_.line());
  } else {
    add_problem(std::move(row.error()));
  }
  return true;
}

void Reading::find_duplicates() {
  const std::vector<BinRow>& rows = file_.rows;
  std::vector<std::uint32_t> order(rows.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::stable_sort(
      order, [&](std::uint32_t a, std::uint32_t b) { return better_row(rows[a], rows[b]); });
  std::size_t first = 0;  // of the rows with the same key
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (same_key(rows[order[first]], rows[order[i]])) {
      problems_.push_back({lines_[order[i]], "the same range and length as in line " +
                                                 std::to_string(lines_[order[first]])});
    } else {
      first = i;
    }
  }
}

std::expected<BinFile, std::vector<BinProblem>> Reading::finish() {
  if (file_.rows.empty() && problems_.empty()) add_problem("no rows below the header");
  if (problems_.empty()) return std::move(file_);
  std::ranges::stable_sort(problems_, {}, &BinProblem::line);
  if (problems_.size() > kMaxProblems) problems_.resize(kMaxProblems);
  return std::unexpected(std::move(problems_));
}

}  // namespace

std::expected<BinFile, std::vector<BinProblem>> read_bin_file(std::istream& in) {
  Reading reading(in);
  if (reading.read_header()) {
    while (reading.read_row()) {
    }
    reading.find_duplicates();
  }
  return reading.finish();
}

}  // namespace cardvault::core
