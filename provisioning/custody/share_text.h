// A share as people write it down and type it in: short checked lines.
//
//   1  04HMA-SW9NF-6YY00-4G2R5  7Q
//   │  └ 20 characters of Crockford's base32 in groups of five
//   │                            └ check: two more, of this line and its number
//   └ the line's number
//
// The check is (the line's number, then its characters, as one number in base 32) modulo 1021. It
// finds every single wrong character, every two neighbours exchanged, lines in the wrong order, and
// all but one in a thousand of other mistakes; what it lets through, the share's own check finds.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>
#include <vector>

#include "vault/custody/share.h"

namespace cardvault::custody {

inline constexpr std::size_t kCharactersPerLine = 20;

// The lines, without line ends; each is wiped when it goes.
[[nodiscard]] std::vector<base::SecretText> share_lines(const Share& share);

// All characters in one, after "CARDVAULT1": what the QR code holds and a scanner types.
[[nodiscard]] base::SecretText share_in_one_line(const Share& share);

enum class LineFault : std::uint8_t {
  kLetter,  // a character that is none of the alphabet
  kLength,  // a character too many or too few
  kCheck,   // the check doesn't hold: something is mistyped
  kShare,   // all lines hold, but together they are no share
};
// What to tell the one who types, without what was typed.
[[nodiscard]] std::string_view explain(LineFault fault) noexcept;

// Takes lines one by one. Not thread-safe.
class ShareReader {
 public:
  // The next line, or the whole share in one line; blanks, hyphens, case and a line's own number in
  // front don't matter. A faulty line is as if it had not been given: ask for it again. kShare
  // starts all over.
  [[nodiscard]] std::expected<void, LineFault> add(std::string_view line);
  // The number of the line that comes next, from 1.
  [[nodiscard]] unsigned next_line() const noexcept { return lines_ + 1; }
  [[nodiscard]] bool complete() const noexcept { return share_.has_value(); }
  // REQUIRES: complete().
  [[nodiscard]] Share take();

 private:
  [[nodiscard]] std::expected<void, LineFault> add_all(std::string_view characters);
  [[nodiscard]] std::expected<void, LineFault> finish();

  base::SecretBuffer characters_;
  unsigned lines_ = 0;
  std::optional<Share> share_;
};

}  // namespace cardvault::custody
