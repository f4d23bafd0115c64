#include "vault/audit/event_codec.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <span>

#include "vault/audit/event_fields.h"

namespace cardvault::audit {
namespace {

constexpr char kHex[] = "0123456789abcdef";

void append_number(std::string& out, std::uint64_t value) {
  std::array<char, 20> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out.append(digits.data(), end);
}

void append_padded(std::string& out, std::uint32_t value, std::size_t width) {
  std::array<char, 4> digits{};
  for (std::size_t i = width; i-- > 0; value /= 10) digits[i] = static_cast<char>('0' + value % 10);
  out.append(digits.data(), width);
}

void append_time(std::string& out, std::int64_t unix_ms) {
  using namespace std::chrono;
  const sys_time<milliseconds> when{
      milliseconds(std::clamp<std::int64_t>(unix_ms, 0, kLastTimeMs))};
  const auto day = floor<days>(when);
  const year_month_day date{day};
  auto ms = static_cast<std::uint32_t>((when - day).count());
  append_padded(out, static_cast<std::uint32_t>(static_cast<int>(date.year())), 4);
  out += '-';
  append_padded(out, static_cast<unsigned>(date.month()), 2);
  out += '-';
  append_padded(out, static_cast<unsigned>(date.day()), 2);
  out += 'T';
  append_padded(out, ms / 3'600'000, 2);
  out += ':';
  append_padded(out, ms / 60'000 % 60, 2);
  out += ':';
  append_padded(out, ms / 1000 % 60, 2);
  out += '.';
  append_padded(out, ms % 1000, 3);
  out += 'Z';
}

void append_unit(std::string& out, std::uint32_t unit) {
  const char text[] = {
      '\\',           'u', kHex[unit >> 12 & 15], kHex[unit >> 8 & 15], kHex[unit >> 4 & 15],
      kHex[unit & 15]};
  out.append(text, sizeof text);
}

// The length of the UTF-8 sequence at the start of `text` and its code point; 0 when it is none
// (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF).
std::size_t decode_utf8(std::string_view text, std::uint32_t& point) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return 0;
  point = lead & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xC0) != 0x80) return 0;
    point = point << 6 | (byte & 0x3F);
  }
  constexpr std::array<std::uint32_t, 5> kLeast = {0, 0, 0x80, 0x800, 0x10000};
  if (point < kLeast[size] || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) return 0;
  return size;
}

std::size_t append_escaped(std::string& out, std::string_view text) {
  const char c = text[0];
  if (c == '"' || c == '\\') {
    out += '\\';
    out += c;
    return 1;
  }
  if (static_cast<unsigned char>(c) < 0x80) {
    append_unit(out, static_cast<unsigned char>(c));
    return 1;
  }
  std::uint32_t point = 0;
  const std::size_t size = decode_utf8(text, point);
  if (size == 0) {
    append_unit(out, 0xFFFD);
    return 1;
  }
  if (point >= 0x10000) {
    append_unit(out, 0xD800 + ((point - 0x10000) >> 10));
    append_unit(out, 0xDC00 + ((point - 0x10000) & 0x3FF));
  } else {
    append_unit(out, point);
  }
  return size;
}

bool plain(char c) noexcept { return c >= 0x20 && c < 0x7F && c != '"' && c != '\\'; }

void append_text(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const auto run =
        static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), plain) - text.begin());
    out.append(text.substr(0, run));
    text.remove_prefix(run);
    if (!text.empty()) text.remove_prefix(append_escaped(out, text));
  }
}

void append_fields(std::string& out, const core::Event& event, std::span<const TextField> fields) {
  for (const auto& [opening, member] : fields) {
    const std::string& value = event.*member;
    if (value.empty()) continue;
    out += opening;
    append_text(out, value);
    out += '"';
  }
}

}  // namespace

void append_event(std::string& out, std::uint64_t seq, const core::Event& event) {
  out += kSeqOpening;
  append_number(out, seq);
  out += kTimeOpening;
  append_time(out, event.time_ms);
  out += '"';
  append_fields(out, event, kFieldsBeforeRequest);
  if (event.request != 0) {
    out += kRequestOpening;
    for (int shift = 60; shift >= 0; shift -= 4) out += kHex[event.request >> shift & 15];
    out += '"';
  }
  append_fields(out, event, kFieldsAfterRequest);
  if (event.key_version != 0) {
    out += kKeyVersionOpening;
    append_number(out, event.key_version);
  }
  if (!event.details.empty()) {
    std::string_view opening = kDetailsOpening;
    for (const auto& [name, value] : event.details) {
      out += opening;
      append_text(out, name);
      out += "\":\"";
      append_text(out, value);
      out += '"';
      opening = ",\"";
    }
    out += '}';
  }
  out += '}';
}

}  // namespace cardvault::audit
