#include <array>
#include <charconv>
#include <chrono>
#include <cstring>
#include <optional>
#include <span>

#include "vault/audit/event_codec.h"
#include "vault/audit/event_fields.h"

namespace cardvault::audit {
namespace {

// What stands for itself in a text of the line.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (std::size_t c = 0x20; c < 0x7F; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}();

constexpr std::uint64_t each_byte(std::uint64_t byte) { return byte * 0x0101010101010101; }

// Not zero when one of the eight bytes is `byte`.
constexpr std::uint64_t any_is(std::uint64_t eight, std::uint64_t byte) {
  const std::uint64_t zero_there = eight ^ each_byte(byte);
  return (zero_there - each_byte(1)) & ~zero_there & each_byte(0x80);
}

// How many leading characters stand for themselves: eight at a time, for most of a log is text.
std::size_t plain_run(std::string_view text) {
  std::size_t run = 0;
  for (std::uint64_t eight = 0; text.size() - run >= sizeof eight; run += sizeof eight) {
    std::memcpy(&eight, text.data() + run, sizeof eight);
    const std::uint64_t low = (eight - each_byte(0x20)) & ~eight & each_byte(0x80);
    if ((low | (eight & each_byte(0x80)) | any_is(eight, '"') | any_is(eight, '\\') |
         any_is(eight, 0x7F)) != 0) {
      break;
    }
  }
  while (run < text.size() && kPlain[static_cast<unsigned char>(text[run])]) ++run;
  return run;
}

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
  // Up to and including the closing quote; `least` or more characters, kept where `out` is given.
  bool text(std::string* out, std::size_t least = 0) {
    std::size_t size = 0;
    while (true) {
      const std::size_t run = plain_run(rest_);
      if (run == rest_.size()) return false;
      if (out != nullptr) out->append(rest_.substr(0, run));
      size += run;
      rest_.remove_prefix(run);
      if (take("\"")) return size >= least;
      if (!escape(out)) return false;
      ++size;
    }
  }

 private:
  static bool digit(char c) noexcept { return c >= '0' && c <= '9'; }

  bool escape(std::string* out) {
    for (const std::string_view pair : {R"(\")", R"(\\)"}) {
      if (!take(pair)) continue;
      if (out != nullptr) *out += pair[1];
      return true;
    }
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
    if (out != nullptr) append_utf8(*out, static_cast<std::uint32_t>(unit));
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

// Below, a null event means: only look whether the spelling is right.
bool read_fields(Cursor& line, core::Event* event, std::span<const TextField> fields) {
  for (const auto& [opening, member] : fields) {
    if (!line.take(opening)) continue;
    if (!line.text(event == nullptr ? nullptr : &(event->*member), 1)) return false;
  }
  return true;
}

bool read_details(Cursor& line, core::Event* event) {
  do {
    std::pair<std::string, std::string>* detail =
        event == nullptr ? nullptr : &event->details.emplace_back();
    if (!line.text(detail == nullptr ? nullptr : &detail->first) || !line.take(":\"") ||
        !line.text(detail == nullptr ? nullptr : &detail->second)) {
      return false;
    }
  } while (line.take(",\""));
  return line.take("}");
}

bool read_event(Cursor& line, EventHead& head, core::Event* event) {
  if (!line.take(kSeqOpening) || !line.number(head.seq, 0)) return false;
  if (!line.take(kTimeOpening) || !read_time(line, head.time_ms)) return false;
  if (!read_fields(line, event, kFieldsBeforeRequest)) return false;
  std::uint64_t request = 0, version = 0;
  if (line.take(kRequestOpening) && (!line.hex(request, 16) || request == 0 || !line.take("\""))) {
    return false;
  }
  if (!read_fields(line, event, kFieldsAfterRequest)) return false;
  if (line.take(kKeyVersionOpening) && (!line.number(version, 1) || version > UINT32_MAX)) {
    return false;
  }
  if (event != nullptr) {
    event->time_ms = head.time_ms;
    event->request = request;
    event->key_version = static_cast<std::uint32_t>(version);
  }
  if (line.take(kDetailsOpening) && !read_details(line, event)) return false;
  return line.take("}") && line.at_end();
}

std::unexpected<base::Error> damaged(const Cursor& line) {
  return base::fail(base::Code::kRecordDamaged, "parse event", static_cast<long>(line.offset()));
}

}  // namespace

base::Result<core::Event> parse_event(std::string_view line, std::uint64_t* seq) {
  Cursor cursor(line);
  core::Event event;
  event.outcome.clear();  // left out of the line means empty, not the default
  EventHead head;
  if (!read_event(cursor, head, &event)) return damaged(cursor);
  if (seq != nullptr) *seq = head.seq;
  return event;
}

base::Result<EventHead> check_event(std::string_view line) {
  Cursor cursor(line);
  EventHead head;
  if (!read_event(cursor, head, nullptr)) return damaged(cursor);
  return head;
}

}  // namespace cardvault::audit
