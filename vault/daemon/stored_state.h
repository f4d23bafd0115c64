// Named values that the daemon keeps in the store, and how its numbers stand there.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vault/base/result.h"

namespace cardvault::daemon {

inline constexpr std::string_view kBinTableValue = "bin_table";
inline constexpr std::string_view kClockValue = "clock_high_water";
inline constexpr std::string_view kRevealValue = "reveal_budget";
inline constexpr std::string_view kBootValue = "boot_id";

// Little-endian, 8 bytes.
inline void append_u64(std::vector<std::uint8_t>& out, std::uint64_t value) {
  for (int shift = 0; shift < 64; shift += 8) {
    out.push_back(static_cast<std::uint8_t>(value >> shift));
  }
}
[[nodiscard]] inline std::uint64_t read_u64(std::span<const std::uint8_t> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8 && i < bytes.size(); ++i) {
    value |= std::uint64_t{bytes[i]} << (8 * i);
  }
  return value;
}

// The value, or the StartupError that names what could not be had.
template <class T>
T must(base::Result<T> result, const char* what) {
  if (result) return std::move(*result);
  throw base::StartupError(std::string(what) + " (" + result.error().operation + ", " +
                           std::string(base::code_name(result.error().code)) + " " +
                           std::to_string(result.error().number) + "): run `cardvault doctor`");
}

}  // namespace cardvault::daemon
