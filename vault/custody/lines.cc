#include "vault/custody/lines.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <system_error>

#include "vault/base/check.h"
#include "vault/base/clock.h"
#include "vault/base/fd.h"
#include "vault/base/result.h"
#include "vault/custody/digest.h"

namespace cardvault::custody {
namespace {

constexpr std::size_t kMaxFile = 1U << 20U;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

[[noreturn]] void unreadable(const std::string& path, int error) {
  std::string why;
  if (error == ENOENT || error == ENOTDIR) {
    why = "there is no such file: put it back from its copy, or name the right one";
  } else if (error == EACCES) {
    why = "permission denied for uid " + std::to_string(::geteuid()) +
          ": let that account read it (chmod, chown), or run this as one that may";
  } else {
    why = "it can't be read: " + std::generic_category().message(error);
  }
  throw base::StartupError(path + ": " + why);
}

}  // namespace

bool is_one_line(std::string_view text) noexcept { return std::ranges::none_of(text, is_control); }

std::string line(std::string_view name, std::string_view value) {
  CARDVAULT_CHECK(is_one_line(name) && is_one_line(value) &&
                  name.find(':') == std::string_view::npos);
  return std::string(name) + ": " + std::string(value) + "\n";
}

LineReader::LineReader(std::string what, std::string_view text, std::string_view head)
    : what_(std::move(what)), rest_(text), size_(text.size()) {
  number_ = 1;
  const std::string first = std::string(head) + "\n";
  if (!rest_.starts_with(first)) {
    throw base::StartupError(what_ + ": its first line is not \"" + std::string(head) + "\"");
  }
  rest_.remove_prefix(first.size());
}

std::string_view LineReader::peek() const { return rest_.substr(0, rest_.find('\n')); }

bool LineReader::next_is(std::string_view name) const {
  const std::string_view next = peek();
  return next.starts_with(name) && next.substr(name.size()).starts_with(": ");
}

std::string_view LineReader::take(std::string_view name) {
  ++number_;
  if (!next_is(name)) refuse("expected \"" + std::string(name) + ": …\"");
  const std::string_view text = peek();
  if (text.size() == rest_.size()) refuse("the line has no end: the file is cut off");
  if (!is_one_line(text)) refuse("it holds control characters");
  rest_.remove_prefix(text.size() + 1);
  return text.substr(name.size() + 2);
}

void LineReader::end() const {
  if (!at_end()) {
    throw base::StartupError(what_ + ", after line " + std::to_string(number_) +
                             ": there is more than there should be");
  }
}

void LineReader::refuse(const std::string& why) const {
  throw base::StartupError(what_ + ", line " + std::to_string(number_) + ": " + why);
}

std::string format_fields(const Fields& fields) {
  std::string out;
  for (const auto& [key, value] : fields) {
    out += (out.empty() ? "" : " ") + key + "=";
    for (const char c : value) {
      if (is_control(c) || c == ' ' || c == '%' || c == '=') {
        out += "%" + hex(std::array{static_cast<std::uint8_t>(c)});
      } else {
        out += c;
      }
    }
  }
  return out;
}

std::optional<Fields> parse_fields(std::string_view text) {
  Fields out;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), one.size() + 1));
    const auto equals = one.find('=');
    if (equals == std::string_view::npos || equals == 0) return std::nullopt;
    std::string value;
    for (std::size_t i = equals + 1; i < one.size(); ++i) {
      if (one[i] != '%') {
        value += one[i];
        continue;
      }
      const auto byte = from_hex(one.substr(i + 1, 2));
      if (!byte || byte->empty()) return std::nullopt;
      value += static_cast<char>(byte->front());
      i += 2;
    }
    out.emplace_back(one.substr(0, equals), std::move(value));
  }
  return out;
}

std::string field(const Fields& fields, std::string_view key) {
  const auto found = std::ranges::find(fields, key, [](const auto& one) { return one.first; });
  return found == fields.end() ? "" : found->second;
}

std::optional<std::int64_t> parse_time(std::string_view text) {
  tm parts{};
  int ms = 0;
  const std::string copy(text);
  // NOLINTNEXTLINE(cert-err34-c): the widths keep each number within an int
  if (std::sscanf(copy.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ", &parts.tm_year, &parts.tm_mon,
                  &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &ms) != 7) {
    return std::nullopt;
  }
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  const std::int64_t out = static_cast<std::int64_t>(::timegm(&parts)) * 1000 + ms;
  if (base::format_time(out) != text) return std::nullopt;
  return out;
}

std::optional<unsigned> parse_number(std::string_view text, unsigned max) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || value > max || std::to_string(value) != text) return std::nullopt;
  return value;
}

std::string read_text_file(const std::string& path) {
  const base::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) unreadable(path, errno);
  std::string text(kMaxFile + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t n = ::read(file.get(), text.data() + size, text.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) unreadable(path, errno);
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  if (size == 0) throw base::StartupError(path + ": it is empty: put it back from its copy");
  if (size > kMaxFile) {
    throw base::StartupError(path + ": it is larger than 1 MiB: it is not the file meant here");
  }
  text.resize(size);
  return text;
}

}  // namespace cardvault::custody
