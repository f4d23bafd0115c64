#include "provisioning/custody/base32.h"

namespace cardvault::custody {

int base32_value(char c) noexcept {
  if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  if (c == 'O') return 0;
  if (c == 'I' || c == 'L') return 1;
  const auto at = kBase32.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

base::SecretBuffer to_base32(std::span<const std::uint8_t> bytes) {
  base::SecretBuffer out;
  out.reserve((bytes.size() * 8 + 4) / 5);
  unsigned bits = 0;
  unsigned held = 0;
  const auto put = [&out](unsigned value) {
    out.push_back(static_cast<std::uint8_t>(kBase32[value & 31U]));
  };
  for (const std::uint8_t byte : bytes) {
    bits = (bits << 8U | byte) & 0xfffU;
    held += 8;
    while (held >= 5) put(bits >> (held -= 5));
  }
  if (held != 0) put(bits << (5 - held));
  return out;
}

std::optional<base::SecretBuffer> from_base32(std::string_view text) {
  base::SecretBuffer out;
  out.reserve(text.size() * 5 / 8);
  unsigned bits = 0;
  unsigned held = 0;
  for (const char c : text) {
    const int value = base32_value(c);
    if (value < 0) return std::nullopt;
    bits = (bits << 5U | static_cast<unsigned>(value)) & 0xfffU;
    held += 5;
    if (held >= 8) out.push_back(static_cast<std::uint8_t>(bits >> (held -= 8)));
  }
  if (held >= 5 || (bits & ((1U << held) - 1)) != 0) return std::nullopt;
  return out;
}

}  // namespace cardvault::custody
