// JSON written straight into a wiped buffer. The caller keeps it well-formed.
#pragma once

#include <charconv>
#include <cstdint>
#include <string_view>

#include "vault/base/secret.h"

namespace cardvault::gate {

// Not thread-safe. Texts are UTF-8 (request texts were checked, others are the vault's own).
class JsonWriter {
 public:
  explicit JsonWriter(base::SecretBuffer& out) noexcept : out_(out) {}

  void open(char bracket) {
    separate();
    put(bracket);
    first_ = true;
  }
  void close(char bracket) {
    put(bracket);
    first_ = false;
  }
  void key(std::string_view name) {
    text(name);
    put(':');
    first_ = true;  // the value follows without a comma
  }
  void text(std::string_view value);
  void number(std::uint64_t value) {
    separate();
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
    raw({digits, static_cast<std::size_t>(end - digits)});
  }
  void boolean(bool value) {
    separate();
    raw(value ? "true" : "false");
  }
  // RFC 3339, UTC.
  void time(std::int64_t unix_ms);

  void field(std::string_view name, std::string_view value) {
    key(name);
    text(value);
  }

 private:
  void separate() {
    if (!first_) put(',');
    first_ = false;
  }
  void put(char c) { out_.push_back(static_cast<std::uint8_t>(c)); }
  void raw(std::string_view s) {
    const auto bytes = base::as_bytes(s);
    out_.insert(out_.end(), bytes.begin(), bytes.end());
  }

  base::SecretBuffer& out_;
  bool first_ = true;
};

}  // namespace cardvault::gate
