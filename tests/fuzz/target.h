// What every fuzz target is made of: one function that takes an input and aborts when a promise is
// broken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "vault/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace cardvault::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace cardvault::fuzz
