#include "vault/custody/digest.h"

#include <openssl/sha.h>
#include <sys/random.h>

#include <algorithm>

#include "vault/base/check.h"
#include "vault/base/secret.h"
#include "vault/custody/word_list.h"

namespace cardvault::custody {
namespace {

constexpr std::size_t kWordsShown = 16;
constexpr std::size_t kWordsPerLine = 8;

int nibble(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

Digest sha256(std::span<const std::uint8_t> bytes) {
  Digest out{};
  CARDVAULT_CHECK(SHA256(bytes.data(), bytes.size(), out.data()) != nullptr);
  return out;
}

Digest sha256(std::string_view text) { return sha256(base::as_bytes(text)); }

std::string hex(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const std::uint8_t byte : bytes) {
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 15U];
  }
  return out;
}

std::optional<std::vector<std::uint8_t>> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::vector<std::uint8_t> out;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = nibble(text[i]);
    const int low = nibble(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<std::uint8_t>(high * 16 + low));
  }
  return out;
}

std::optional<Digest> digest_from_hex(std::string_view text) {
  const auto bytes = from_hex(text);
  Digest out{};
  if (!bytes || bytes->size() != out.size()) return std::nullopt;
  std::ranges::copy(*bytes, out.begin());
  return out;
}

std::string in_words(const Digest& digest) {
  std::string out;
  for (std::size_t i = 0; i < kWordsShown; ++i) {
    if (i != 0) out += i % kWordsPerLine == 0 ? '\n' : ' ';
    out += kWords[digest[i]];
  }
  return out;
}

std::string for_comparison(const Digest& digest, std::string_view indent) {
  std::string out;
  std::string line;
  for (const char c : in_words(digest) + "\n" + hex(digest) + "\n") {
    line += c;
    if (c != '\n') continue;
    out += std::string(indent) + line;
    line.clear();
  }
  return out;
}

void fill_random(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const ssize_t got = ::getrandom(out.data(), out.size(), 0);
    CARDVAULT_CHECK(got > 0);
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

}  // namespace cardvault::custody
