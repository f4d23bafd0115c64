#include "protocol/gate/json_writer.h"

#include "vault/base/clock.h"

namespace cardvault::gate {

void JsonWriter::text(std::string_view value) {
  constexpr std::string_view kHex = "0123456789abcdef";
  separate();
  put('"');
  std::size_t plain = 0;  // where the run of characters that need no escape begins
  for (std::size_t i = 0; i < value.size(); ++i) {
    const auto c = static_cast<unsigned char>(value[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    raw(value.substr(plain, i - plain));
    plain = i + 1;
    put('\\');
    if (c == '"' || c == '\\') {
      put(static_cast<char>(c));
    } else {
      raw("u00");
      put(kHex[c >> 4]);
      put(kHex[c & 15]);
    }
  }
  raw(value.substr(plain));
  put('"');
}

void JsonWriter::time(std::int64_t unix_ms) { text(base::format_time(unix_ms)); }

}  // namespace cardvault::gate
