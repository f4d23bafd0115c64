#include "vault/core/bin_csv.h"

#include <cstdint>

namespace cardvault::core {

int CsvReader::peek() { return in_.rdbuf()->sgetc(); }

int CsvReader::take() {
  const int c = in_.rdbuf()->sbumpc();
  if (c == kEndOfFile) return c;
  if (c == '\n') ++line_;
  ++record_bytes_;
  return c;
}

void CsvReader::skip_line() {
  for (int c = take(); c != '\n' && c != kEndOfFile;) c = take();
}

CsvReader::Status CsvReader::read_quoted(std::string& field) {
  while (record_bytes_ <= kMaxRecord) {
    const int c = take();
    if (c == kEndOfFile) return Status::kUnclosed;
    if (c != '"') {
      field += static_cast<char>(c);
      continue;
    }
    if (peek() != '"') return Status::kRecord;
    field += static_cast<char>(take());
  }
  return Status::kTooLong;
}

// One field up to its separator, which stays.
CsvReader::Status CsvReader::read_field(std::string& field) {
  field.clear();
  if (peek() == '"') {
    static_cast<void>(take());
    if (const Status status = read_quoted(field); status != Status::kRecord) return status;
    if (peek() == '\r') static_cast<void>(take());
    const int after = peek();
    return after == ',' || after == '\n' || after == kEndOfFile ? Status::kRecord
                                                                : Status::kStrayQuote;
  }
  while (record_bytes_ <= kMaxRecord) {
    const int c = peek();
    if (c == ',' || c == '\n' || c == kEndOfFile) {
      if (c != ',' && !field.empty() && field.back() == '\r') field.pop_back();
      return Status::kRecord;
    }
    if (c == '"') return Status::kStrayQuote;
    field += static_cast<char>(take());
  }
  return Status::kTooLong;
}

CsvReader::Status CsvReader::next(std::vector<std::string>& fields) {
  if (!begun_) {
    begun_ = true;
    for (const int mark : {0xef, 0xbb, 0xbf}) {
      if (peek() != mark) break;
      static_cast<void>(take());
    }
  }
  for (;;) {
    record_line_ = line_;
    record_bytes_ = 0;
    if (in_.bad()) return Status::kReadFailed;
    if (peek() == kEndOfFile) return Status::kEnd;
    std::size_t count = 0;
    for (;;) {
      if (count == fields.size()) fields.emplace_back();
      const Status status = read_field(fields[count]);
      if (status == Status::kStrayQuote) skip_line();
      if (status != Status::kRecord) return status;
      ++count;
      if (take() != ',') break;  // the line's end or the file's
    }
    fields.resize(count);
    if (count > 1 || !fields[0].empty()) return Status::kRecord;
  }
}

bool valid_utf8(std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(text[at]); };
    const std::uint8_t lead = byte(i);
    const std::size_t more = lead < 0x80   ? 0
                             : lead < 0xc2 ? 4
                             : lead < 0xe0 ? 1
                             : lead < 0xf0 ? 2
                             : lead < 0xf5 ? 3
                                           : 4;
    if (more == 4 || more >= text.size() - i) return false;
    for (std::size_t k = 1; k <= more; ++k) {
      if ((byte(i + k) & 0xc0) != 0x80) return false;
    }
    if (more >= 2) {
      const std::uint8_t second = byte(i + 1);
      if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
          (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) {
        return false;
      }
    }
    i += more + 1;
  }
  return true;
}

}  // namespace cardvault::core
