#include <algorithm>
#include <array>

#include "protocol/gate/http_head.h"
#include "vault/base/ascii.h"

namespace cardvault::gate {
namespace {

using base::Code;
using base::fail;

constexpr std::size_t kMaxFields = 64;
constexpr std::string_view kTokenPunctuation = "!#$%&'*+-.^_`|~";  // tchar, RFC 9110 5.6.2

bool is_token(std::string_view text) noexcept {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return base::is_alpha(c) || base::is_digit(c) ||
           kTokenPunctuation.find(c) != std::string_view::npos;
  });
}

// Every CR is followed by LF and every LF preceded by CR; otherwise printable ASCII and tabs.
bool clean_bytes(std::string_view block) noexcept {
  for (std::size_t i = 0; i < block.size(); ++i) {
    const char c = block[i];
    if (c == '\r') {
      if (i + 1 == block.size() || block[i + 1] != '\n') return false;
      ++i;
    } else if (c != '\t' && (c < 0x20 || c > 0x7e)) {
      return false;
    }
  }
  return true;
}

base::Result<void> check_request_line(std::string_view line) noexcept {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last || line.find('\t') != line.npos) {
    return fail(Code::kBadHttp, "request line");
  }
  const std::string_view version = line.substr(last + 1);
  if (version != "HTTP/1.1") {
    return fail(version.starts_with("HTTP/") ? Code::kHttpVersionRefused : Code::kBadHttp,
                "http version");
  }
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  if (!is_token(method)) return fail(Code::kBadHttp, "method");
  if (!target.starts_with('/') || target.starts_with("//") ||
      target.find_first_of(" #\\") != target.npos) {
    return fail(Code::kBadHttp, "target");  // origin-form only, RFC 9112 3.2.1
  }
  return {};
}

bool valid_host(std::string_view value) noexcept {
  return !value.empty() && std::ranges::all_of(value, [](char c) {
    return base::is_alpha(c) || base::is_digit(c) ||
           std::string_view("-._:[]").find(c) != std::string_view::npos;
  });
}

bool valid_length(std::string_view value) noexcept {
  return !value.empty() && value.size() <= 15 && std::ranges::all_of(value, base::is_digit);
}

// Counts what may appear once, and refuses what may not appear.
class FieldCheck {
 public:
  base::Result<void> field(std::string_view name, std::string_view value) noexcept {
    if (++fields_ > kMaxFields) return fail(Code::kHeadersTooLarge, "too many fields");
    if (base::same_text(name, "host")) {
      if (++hosts_ > 1 || !valid_host(value)) return fail(Code::kBadHttp, "host");
    } else if (base::same_text(name, "content-length")) {
      if (++lengths_ > 1 || !valid_length(value)) return fail(Code::kBadHttp, "content length");
    } else if (base::same_text(name, "content-type")) {
      if (++types_ > 1) return fail(Code::kBadHttp, "content type");
    } else if (base::same_text(name, "transfer-encoding")) {
      return fail(Code::kTransferEncodingRefused, "transfer encoding");
    } else if (base::same_text(name, "upgrade") || base::same_text(name, "http2-settings")) {
      return fail(Code::kBadHttp, "upgrade");
    } else if (base::same_text(name, "expect")) {
      if (++expects_ > 1 || !base::same_text(value, "100-continue")) {
        return fail(Code::kBadHttp, "expect");
      }
    }
    return {};
  }
  [[nodiscard]] bool has_host() const noexcept { return hosts_ == 1; }

 private:
  std::size_t fields_ = 0;
  unsigned hosts_ = 0, lengths_ = 0, types_ = 0, expects_ = 0;
};

base::Result<void> check_field_line(std::string_view line, FieldCheck& check) noexcept {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return fail(Code::kBadHttp, "field without colon");
  // Also refuses obs-fold (RFC 9112 5.2) and a space before the colon (5.1).
  if (!is_token(line.substr(0, colon))) return fail(Code::kBadHttp, "field name");
  return check.field(line.substr(0, colon), base::trimmed(line.substr(colon + 1)));
}

}  // namespace

std::size_t head_length(std::string_view bytes, std::size_t from) noexcept {
  const std::size_t end = bytes.find("\r\n\r\n", from < 3 ? 0 : from - 3);
  return end == std::string_view::npos ? 0 : end + 4;
}

base::Result<void> check_raw_head(std::string_view block) noexcept {
  if (!block.ends_with("\r\n\r\n") || !clean_bytes(block)) return fail(Code::kBadHttp, "bytes");
  std::string_view rest = block.substr(0, block.size() - 2);
  FieldCheck check;
  for (bool first = true; !rest.empty(); first = false) {
    const std::size_t end = rest.find("\r\n");
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 2);
    const auto checked = first ? check_request_line(line) : check_field_line(line, check);
    if (!checked) return checked;
  }
  if (!check.has_host()) return fail(Code::kBadHttp, "no host");
  return {};
}

}  // namespace cardvault::gate
