#include "provisioning/auditor/html.h"

namespace cardvault::auditor {
namespace {

constexpr std::string_view kReplacement = "\uFFFD";

std::string_view entity(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return {};
  }
}

// How many bytes of a character that may be shown begin `text`; 0: none.
std::size_t shown(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) >= 0x20 && byte(0) < 0x7F) return 1;
  if (byte(0) < 0xC2 || byte(0) > 0xDF || text.size() < 2 || (byte(1) & 0xC0) != 0x80) return 0;
  const unsigned point = (byte(0) & 0x1FU) << 6 | (byte(1) & 0x3FU);
  // C1 controls, the soft hyphen, combining marks, and what is written from the right.
  const bool hidden = point < 0xA0 || point == 0xAD || (point >= 0x300 && point < 0x370) ||
                      (point >= 0x483 && point < 0x48A) || point >= 0x590;
  return hidden ? 0 : 2;
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    std::size_t size = shown(text);
    const std::string_view name = entity(text[0]);
    if (size == 0) {
      out += kReplacement;
      // The rest of a longer character goes with it.
      for (size = 1; size < text.size() && (text[size] & 0xC0) == 0x80;) ++size;
    } else if (!name.empty()) {
      out += name;
    } else {
      out += text.substr(0, size);
    }
    text.remove_prefix(size);
  }
  return out;
}

}  // namespace cardvault::auditor
