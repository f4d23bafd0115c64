// Reads a CSV file record by record (RFC 4180), with the line on which each one begins.
#pragma once

#include <cstddef>
#include <istream>
#include <string>
#include <string_view>
#include <vector>

namespace cardvault::core {

// CRLF or LF, UTF-8 byte order mark allowed, quoted fields may hold separators and line ends. Lines
// with nothing on them are skipped. Memory is bounded: a record is at most kMaxRecord bytes.
class CsvReader {
 public:
  static constexpr std::size_t kMaxRecord = 64UZ * 1024;

  enum class Status {
    kRecord,
    kEnd,
    kStrayQuote,  // a quote inside an unquoted field, or text after a closing quote
    kUnclosed,    // the file ends inside a quoted field
    kTooLong,     // more than kMaxRecord bytes
    kReadFailed,  // the stream broke
  };

  explicit CsvReader(std::istream& in) : in_(in) {}

  // The next record into `fields`. After kStrayQuote the rest of that line was skipped and reading
  // may go on; after the other problems it may not.
  [[nodiscard]] Status next(std::vector<std::string>& fields);
  // Line (from 1) on which the record last returned begins.
  [[nodiscard]] std::size_t line() const noexcept { return record_line_; }

 private:
  static constexpr int kEndOfFile = -1;

  [[nodiscard]] int take();
  [[nodiscard]] int peek();
  void skip_line();
  [[nodiscard]] Status read_quoted(std::string& field);
  [[nodiscard]] Status read_field(std::string& field);

  std::istream& in_;
  std::size_t line_ = 1;  // of the next character
  std::size_t record_line_ = 1;
  std::size_t record_bytes_ = 0;
  bool begun_ = false;
};

// Well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF).
[[nodiscard]] bool valid_utf8(std::string_view text) noexcept;

}  // namespace cardvault::core
