#include "protocol/client/response_reader.h"

#include <algorithm>
#include <charconv>

#include "vault/base/check.h"

namespace cardvault::client {
namespace {

constexpr std::size_t kChunk = 8192;
constexpr std::string_view kEnd = "\r\n\r\n";

constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

bool same_name(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

template <class Number>
bool read_number(std::string_view text, Number& value) noexcept {
  const std::span<const char> digits(text);
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value);
  return error == std::errc{} && stop == end && text.front() != '-';
}

// Calls visit(name, value) for each field after the first line; false when a line is no field.
template <class Visit>
bool each_field(std::string_view head, Visit visit) {
  auto at = head.find("\r\n");
  while (at != std::string_view::npos) {
    at += 2;
    const auto end = head.find("\r\n", at);
    const auto line = head.substr(at, end == std::string_view::npos ? end : end - at);
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return false;
    if (!visit(line.substr(0, colon), trimmed(line.substr(colon + 1)))) return false;
    at = end;
  }
  return true;
}

}  // namespace

std::string_view Response::header(std::string_view name) const noexcept {
  std::string_view found;
  each_field(head, [&](std::string_view field, std::string_view value) {
    if (!same_name(field, name)) return true;
    found = value;
    return false;
  });
  return found;
}

std::span<std::uint8_t> ResponseReader::space() {
  if (taken_ != 0) {
    std::ranges::copy(std::span(buffer_).subspan(taken_, end_ - taken_), buffer_.begin());
    base::wipe(buffer_.data() + end_ - taken_, taken_);
    end_ -= taken_;
    taken_ = 0;
  }
  const std::size_t need = head_size_ == 0 ? end_ + kChunk : head_size_ + body_size_;
  if (buffer_.size() < need || buffer_.size() == end_)
    buffer_.resize(std::max(need, end_ + kChunk));
  return std::span(buffer_).subspan(end_);
}

void ResponseReader::filled(std::size_t bytes) {
  CARDVAULT_CHECK(bytes <= buffer_.size() - end_);
  end_ += bytes;
}

base::Result<bool> ResponseReader::parse_head(std::string_view data) {
  const auto bad = [] { return base::fail(base::Code::kBadHttp, "parse response head"); };
  const auto end = data.find(kEnd);
  if (end == std::string_view::npos)
    return data.size() > kMaxHead ? bad() : base::Result<bool>(false);
  const auto head = data.substr(0, end);
  if (!head.starts_with("HTTP/1.1 ") || head.size() < 12 ||
      !read_number(head.substr(9, 3), status_) || status_ < 200) {
    return bad();
  }
  const bool bodiless = status_ == 204 || status_ == 304;  // RFC 9112 6.3
  bool length_seen = false;
  body_size_ = 0;
  keep_alive_ = true;
  const bool fields_ok = each_field(head, [&](std::string_view name, std::string_view value) {
    if (same_name(name, "content-length")) {
      if (length_seen || value.empty() || !read_number(value, body_size_)) return false;
      length_seen = true;
    } else if (same_name(name, "transfer-encoding")) {
      return false;
    } else if (same_name(name, "connection")) {
      keep_alive_ = !same_name(value, "close");
    }
    return true;
  });
  if (!fields_ok || (!length_seen && !bodiless)) return bad();
  if (bodiless) body_size_ = 0;
  if (body_size_ > max_body_) {
    return base::fail(base::Code::kPayloadTooLarge, "read response body",
                      static_cast<long>(body_size_));
  }
  head_size_ = end + kEnd.size();
  return true;
}

base::Result<std::optional<Response>> ResponseReader::next() {
  const auto data = base::as_text(std::span(buffer_).subspan(taken_, end_ - taken_));
  if (head_size_ == 0) {
    const auto whole = parse_head(data);
    if (!whole) return std::unexpected(whole.error());
    if (!*whole) return std::nullopt;
  }
  if (data.size() < head_size_ + body_size_) return std::nullopt;
  const Response response{status_, data.substr(0, head_size_ - kEnd.size()),
                          data.substr(head_size_, body_size_), keep_alive_};
  taken_ += head_size_ + body_size_;
  head_size_ = 0;
  return response;
}

}  // namespace cardvault::client
