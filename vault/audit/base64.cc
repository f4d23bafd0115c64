#include "vault/audit/base64.h"

namespace cardvault::audit {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string to_base64(std::span<const std::uint8_t> bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = bytes.size() - i;
    const std::uint32_t group = static_cast<std::uint32_t>(bytes[i]) << 16 |
                                static_cast<std::uint32_t>(left > 1 ? bytes[i + 1] : 0) << 8 |
                                static_cast<std::uint32_t>(left > 2 ? bytes[i + 2] : 0);
    text += kDigits[group >> 18];
    text += kDigits[group >> 12 & 63];
    text += left > 1 ? kDigits[group >> 6 & 63] : '=';
    text += left > 2 ? kDigits[group & 63] : '=';
  }
  return text;
}

std::optional<std::vector<std::uint8_t>> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::vector<std::uint8_t> bytes;
  bytes.reserve(text.size() / 4 * 3);
  std::uint32_t group = 0;
  std::size_t padding = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t value = kDigits.find(text[i]);
    if (value == std::string_view::npos) {
      if (text[i] != '=' || i + 2 < text.size()) return std::nullopt;
      ++padding;
    } else if (padding != 0) {
      return std::nullopt;
    }
    group = group << 6 | static_cast<std::uint32_t>(value == std::string_view::npos ? 0 : value);
    if (i % 4 != 3) continue;
    for (std::size_t byte = 0; byte < 3 - padding; ++byte) {
      bytes.push_back(static_cast<std::uint8_t>(group >> (16 - 8 * byte) & 0xFF));
    }
    if (padding != 0 && (group & ((1U << (8 * padding)) - 1)) != 0) return std::nullopt;
    group = 0;
  }
  return bytes;
}

}  // namespace cardvault::audit
