// SHA-256 digests, as people compare them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cardvault::custody {

using Digest = std::array<std::uint8_t, 32>;

// FIPS 180-4. Aborts when OpenSSL has no memory.
[[nodiscard]] Digest sha256(std::string_view text);
[[nodiscard]] Digest sha256(std::span<const std::uint8_t> bytes);

// Lower-case hexadecimal.
[[nodiscard]] std::string hex(std::span<const std::uint8_t> bytes);
// nullopt for anything but pairs of lower-case hex digits: one text per value.
[[nodiscard]] std::optional<std::vector<std::uint8_t>> from_hex(std::string_view text);
[[nodiscard]] std::optional<Digest> digest_from_hex(std::string_view text);

// The first 16 bytes as words, in lines of 8. 128 bits, since the author of a plan may be the
// attacker: two plans with the same 8 words cost 2^32 tries, with the same 16 words 2^64.
[[nodiscard]] std::string in_words(const Digest& digest);

// The digest as custodians compare it: words in two lines, hex below, each line after `indent`.
[[nodiscard]] std::string for_comparison(const Digest& digest, std::string_view indent);

// So many bytes from getrandom(2). Aborts when the kernel has none.
void fill_random(std::span<std::uint8_t> out);

}  // namespace cardvault::custody
