#include <charconv>
#include <chrono>
#include <optional>
#include <span>

#include "vault/audit/event_codec.h"
#include "vault/audit/event_fields.h"

namespace cardvault::audit {
namespace {

// The part of the line not read yet. Every reader returns false on a spelling that append_event()
// never makes and leaves the rest at the trouble.
class Cursor {
 public:
  explicit Cursor(std::string_view line) : rest_(line), size_(line.size()) {}

  [[nodiscard]] std::size_t offset() const noexcept { return size_ - rest_.size(); }
  [[nodiscard]] bool at_end() const noexcept { return rest_.empty(); }

  bool take(std::string_view literal) {
    if (!rest_.starts_with(literal)) return false;
    rest_.remove_prefix(literal.size());
    return true;
  }
  bool number(std::uint64_t& value, std::uint64_t least) {
    if (rest_.empty() || (rest_[0] == '0' && rest_.size() > 1 && digit(rest_[1]))) return false;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc() || value < least) return false;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return true;
  }
  bool padded(std::uint32_t& value, std::size_t width) {
    if (rest_.size() < width) return false;
    value = 0;
    for (const char c : rest_.substr(0, width)) {
      if (!digit(c)) return false;
      value = value * 10 + static_cast<std::uint32_t>(c - '0');
    }
    rest_.remove_prefix(width);
    return true;
  }
  bool hex(std::uint64_t& value, std::size_t width) {
    if (rest_.size() < width) return false;
    value = 0;
    for (const char c : rest_.substr(0, width)) {
      if (!digit(c) && (c < 'a' || c > 'f')) return false;
      value = value << 4 | static_cast<std::uint64_t>(digit(c) ? c - '0' : c - 'a' + 10);
    }
    rest_.remove_prefix(width);
    return true;
  }
  // Up to and including the closing quote.
  bool text(std::string& out) {
    while (true) {
      const auto run = rest_.find_first_of("\"\\");
      if (run == std::string_view::npos) return false;
      for (const char c : rest_.substr(0, run)) {
        if (c < 0x20 || c > 0x7E) return false;
      }
      out.append(rest_.substr(0, run));
      rest_.remove_prefix(run);
      if (take("\"")) return true;
      if (!escape(out)) return false;
    }
  }

 private:
  static bool digit(char c) noexcept { return c >= '0' && c <= '9'; }

  bool escape(std::string& out) {
    if (take("\\\"")) return out += '"', true;
    if (take("\\\\")) return out += '\\', true;
    std::uint64_t unit = 0;
    if (!take("\\u") || !hex(unit, 4)) return false;
    if (unit >= 0x20 && unit < 0x7F) return false;
    if (unit >= 0xD800 && unit < 0xE000) {
      std::uint64_t low = 0;
      if (unit >= 0xDC00 || !take("\\u") || !hex(low, 4) || low < 0xDC00 || low >= 0xE000) {
        return false;
      }
      unit = 0x10000 + ((unit - 0xD800) << 10 | (low - 0xDC00));
    }
    append_utf8(out, static_cast<std::uint32_t>(unit));
    return true;
  }
  static void append_utf8(std::string& out, std::uint32_t point) {
    const auto tail = [&](int shift) { out += static_cast<char>(0x80 | (point >> shift & 0x3F)); };
    if (point < 0x80) {
      out += static_cast<char>(point);
    } else if (point < 0x800) {
      out += static_cast<char>(0xC0 | point >> 6);
      tail(0);
    } else if (point < 0x10000) {
      out += static_cast<char>(0xE0 | point >> 12);
      tail(6), tail(0);
    } else {
      out += static_cast<char>(0xF0 | point >> 18);
      tail(12), tail(6), tail(0);
    }
  }

  std::string_view rest_;
  std::size_t size_;
};

bool read_time(Cursor& line, std::int64_t& unix_ms) {
  using namespace std::chrono;
  std::uint32_t y = 0, mon = 0, d = 0, h = 0, min = 0, s = 0, ms = 0;
  if (!line.padded(y, 4) || !line.take("-") || !line.padded(mon, 2) || !line.take("-") ||
      !line.padded(d, 2) || !line.take("T") || !line.padded(h, 2) || !line.take(":") ||
      !line.padded(min, 2) || !line.take(":") || !line.padded(s, 2) || !line.take(".") ||
      !line.padded(ms, 3) || !line.take("Z\"")) {
    return false;
  }
  const year_month_day date{year(static_cast<int>(y)), month(mon), day(d)};
  if (y < 1970 || !date.ok() || h > 23 || min > 59 || s > 59) return false;
  unix_ms = (sys_days(date) + hours(h) + minutes(min) + seconds(s) + milliseconds(ms))
                .time_since_epoch() /
            milliseconds(1);
  return true;
}

bool read_fields(Cursor& line, core::Event& event, std::span<const TextField> fields) {
  for (const auto& [opening, member] : fields) {
    if (!line.take(opening)) continue;
    if (!line.text(event.*member) || (event.*member).empty()) return false;
  }
  return true;
}

bool read_details(Cursor& line, core::Event& event) {
  do {
    auto& [name, value] = event.details.emplace_back();
    if (!line.text(name) || !line.take(":\"") || !line.text(value)) return false;
  } while (line.take(",\""));
  return line.take("}");
}

bool read_event(Cursor& line, std::uint64_t& seq, core::Event& event) {
  if (!line.take(kSeqOpening) || !line.number(seq, 0)) return false;
  if (!line.take(kTimeOpening) || !read_time(line, event.time_ms)) return false;
  if (!read_fields(line, event, kFieldsBeforeRequest)) return false;
  if (line.take(kRequestOpening) &&
      (!line.hex(event.request, 16) || event.request == 0 || !line.take("\""))) {
    return false;
  }
  if (!read_fields(line, event, kFieldsAfterRequest)) return false;
  if (line.take(kKeyVersionOpening)) {
    std::uint64_t version = 0;
    if (!line.number(version, 1) || version > UINT32_MAX) return false;
    event.key_version = static_cast<std::uint32_t>(version);
  }
  if (line.take(kDetailsOpening) && !read_details(line, event)) return false;
  return line.take("}") && line.at_end();
}

}  // namespace

base::Result<core::Event> parse_event(std::string_view line, std::uint64_t* seq) {
  Cursor cursor(line);
  core::Event event;
  event.outcome.clear();  // left out of the line means empty, not the default
  std::uint64_t number = 0;
  if (!read_event(cursor, number, event)) {
    return base::fail(base::Code::kRecordDamaged, "parse event",
                      static_cast<long>(cursor.offset()));
  }
  if (seq != nullptr) *seq = number;
  return event;
}

}  // namespace cardvault::audit
