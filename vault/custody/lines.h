// The form of every file here: lines "name: value", in a fixed order, for people and programs
// alike. One text per content: what is signed is the text itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cardvault::custody {

// Printable UTF-8 or ASCII in one line: no control characters.
[[nodiscard]] bool is_one_line(std::string_view text) noexcept;

// "name: value\n". REQUIRES: is_one_line() of both, no colon in the name.
[[nodiscard]] std::string line(std::string_view name, std::string_view value);

// Takes lines in order. Throws StartupError with the file and the line's number for all that is not
// as it must be. Refers to the text, does not own it.
class LineReader {
 public:
  // `what` begins messages: a path. The first line must be `head`.
  LineReader(std::string what, std::string_view text, std::string_view head);

  [[nodiscard]] std::string_view take(std::string_view name);  // this line's value
  [[nodiscard]] bool next_is(std::string_view name) const;
  [[nodiscard]] bool at_end() const noexcept { return rest_.empty(); }
  // Where the next line begins, as a byte of the text.
  [[nodiscard]] std::size_t position() const noexcept { return size_ - rest_.size(); }
  void end() const;  // throws unless at_end()
  // About the line just taken.
  [[noreturn]] void refuse(const std::string& why) const;

 private:
  [[nodiscard]] std::string_view peek() const;

  std::string what_;
  std::string_view rest_;
  std::size_t size_;
  unsigned number_ = 0;
};

// "key=value key=value": values without blanks, control characters, '%' and '=', which stand as
// %XX.
using Fields = std::vector<std::pair<std::string, std::string>>;
[[nodiscard]] std::string format_fields(const Fields& fields);
[[nodiscard]] std::optional<Fields> parse_fields(std::string_view text);
// "" when there is none.
[[nodiscard]] std::string field(const Fields& fields, std::string_view key);

// Milliseconds since 1970 of what base::format_time() writes; nullopt for any other form.
[[nodiscard]] std::optional<std::int64_t> parse_time(std::string_view text);

// A decimal number without sign or leading zeros, at most `max`.
[[nodiscard]] std::optional<unsigned> parse_number(std::string_view text, unsigned max);

// A whole file of at most 1 MiB. Throws StartupError with path, reason and what to do.
[[nodiscard]] std::string read_text_file(const std::string& path);

}  // namespace cardvault::custody
