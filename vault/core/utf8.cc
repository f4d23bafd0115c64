#include "vault/core/utf8.h"

#include <cstdint>

namespace cardvault::core {
namespace {

// Length of the sequence that begins with `c`; 0 when none does.
std::size_t sequence_length(unsigned char c) {
  if (c < 0x80) return 1;
  if (c >= 0xc2 && c < 0xe0) return 2;
  if (c >= 0xe0 && c < 0xf0) return 3;
  return c >= 0xf0 && c < 0xf5 ? 4 : 0;
}

}  // namespace

bool printable_utf8(std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    const std::size_t length = sequence_length(c);
    if (c < 0x20 || c == 0x7f || length == 0 || i + length > text.size()) return false;
    for (std::size_t k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xc0) != 0x80) return false;
      // RFC 3629 section 4: the second byte rules out overlong forms, surrogates, beyond U+10FFFF.
      if (k == 1 && ((c == 0xe0 && next < 0xa0) || (c == 0xed && next >= 0xa0) ||
                     (c == 0xf0 && next < 0x90) || (c == 0xf4 && next >= 0x90))) {
        return false;
      }
    }
    i += length;
  }
  return true;
}

}  // namespace cardvault::core
