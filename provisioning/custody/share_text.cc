#include "provisioning/custody/share_text.h"

#include <algorithm>
#include <array>

#include "provisioning/custody/base32.h"
#include "vault/base/check.h"

namespace cardvault::custody {
namespace {

constexpr std::size_t kGroup = 5;
constexpr unsigned kModulus = 1021;  // the largest prime below 32 * 32
constexpr std::string_view kOneLine = "CARDVAULT1";
constexpr std::size_t kCharacters = kShareBytes * 8 / 5;
static_assert(kCharacters % kCharactersPerLine == 0);

unsigned check_of(unsigned line, std::string_view characters) {
  unsigned value = line % kModulus;
  for (const char c : characters) {
    value = (value * 32 + static_cast<unsigned>(base32_value(c))) % kModulus;
  }
  return value;
}

// Without blanks and hyphens; false when a character is none of the alphabet.
bool strip(std::string_view line, base::SecretBuffer& out) {
  out.reserve(line.size());
  for (const char c : line) {
    if (c == ' ' || c == '-' || c == '\t') continue;
    if (base32_value(c) < 0 && c != 'U' && c != 'u') return false;  // the U of CARDVAULT1
    out.push_back(static_cast<std::uint8_t>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c));
  }
  return true;
}

}  // namespace

std::vector<base::SecretText> share_lines(const Share& share) {
  const base::SecretBuffer text = to_base32(encode_share(share));
  const std::string_view all = base::as_text(text);
  CARDVAULT_CHECK(all.size() == kCharacters);
  std::vector<base::SecretText> out;
  for (std::size_t at = 0; at < all.size(); at += kCharactersPerLine) {
    const auto line = static_cast<unsigned>(out.size() + 1);
    const std::string_view characters = all.substr(at, kCharactersPerLine);
    base::SecretBuffer shown;
    shown.reserve(40);
    shown.push_back(static_cast<std::uint8_t>('0' + line));
    shown.push_back(' ');
    for (std::size_t i = 0; i < characters.size(); ++i) {
      if (i % kGroup == 0) shown.push_back(i == 0 ? ' ' : '-');
      shown.push_back(static_cast<std::uint8_t>(characters[i]));
    }
    const unsigned check = check_of(line, characters);
    for (const char c : {' ', ' ', kBase32[check / 32], kBase32[check % 32]}) {
      shown.push_back(static_cast<std::uint8_t>(c));
    }
    out.emplace_back(base::as_text(shown));
  }
  return out;
}

base::SecretText share_in_one_line(const Share& share) {
  const base::SecretBuffer text = to_base32(encode_share(share));
  base::SecretBuffer out(kOneLine.begin(), kOneLine.end());
  out.insert(out.end(), text.begin(), text.end());
  return base::SecretText(base::as_text(out));
}

std::string_view explain(LineFault fault) noexcept {
  switch (fault) {
    case LineFault::kLetter:
      return "it has a character that is in no share (letters and digits, no U)";
    case LineFault::kLength:
      return "it has 20 characters and 2 of its check, not more or less";
    case LineFault::kCheck:
      return "its check does not hold: something in it is mistyped, or it is another line";
    case LineFault::kShare:
      return "each line holds, but together they are no share: do they come from two sheets?";
  }
  return "";
}

std::expected<void, LineFault> ShareReader::add(std::string_view line) {
  base::SecretBuffer stripped;
  if (!strip(line, stripped)) return std::unexpected(LineFault::kLetter);
  std::string_view text = base::as_text(stripped);
  if (text.starts_with(kOneLine)) return add_all(text.substr(kOneLine.size()));
  if (text.find('U') != std::string_view::npos) return std::unexpected(LineFault::kLetter);
  const bool numbered = text.size() == kCharactersPerLine + 3 &&
                        text[0] == static_cast<char>('0' + static_cast<char>(next_line()));
  if (numbered) text.remove_prefix(1);
  if (text.size() != kCharactersPerLine + 2) return std::unexpected(LineFault::kLength);
  const std::string_view characters = text.substr(0, kCharactersPerLine);
  const auto given = static_cast<unsigned>(base32_value(text[kCharactersPerLine]) * 32 +
                                           base32_value(text[kCharactersPerLine + 1]));
  if (given != check_of(next_line(), characters)) return std::unexpected(LineFault::kCheck);
  characters_.insert(characters_.end(), characters.begin(), characters.end());
  ++lines_;
  return characters_.size() == kCharacters ? finish() : std::expected<void, LineFault>();
}

std::expected<void, LineFault> ShareReader::add_all(std::string_view characters) {
  if (characters.find('U') != std::string_view::npos) return std::unexpected(LineFault::kLetter);
  if (characters.size() != kCharacters) return std::unexpected(LineFault::kLength);
  characters_.assign(characters.begin(), characters.end());
  return finish();
}

std::expected<void, LineFault> ShareReader::finish() {
  const auto bytes = from_base32(base::as_text(characters_));
  if (bytes) share_ = decode_share(*bytes);
  base::wipe(characters_.data(), characters_.size());
  characters_.clear();
  lines_ = 0;
  if (!share_) return std::unexpected(LineFault::kShare);
  return {};
}

Share ShareReader::take() {
  CARDVAULT_CHECK(complete());
  Share out = std::move(*share_);
  share_.reset();
  return out;
}

}  // namespace cardvault::custody
