// The fields of request bodies. Private to the JSON decoder.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "protocol/gate/routes.h"

namespace cardvault::gate {

enum class Field : std::uint8_t {
  kUnknown,
  kItems,
  kPan,
  kExpiry,
  kCustomer,
  kFormat,
  kTtl,
  kMetadata,
  kToken,
  kPurpose,
  kMask,
  kAfter,
};

[[nodiscard]] constexpr std::uint32_t bit(Field field) noexcept {
  return 1U << static_cast<unsigned>(field);
}

// What the body of an operation may and must hold, besides "items".
struct Schema {
  std::uint32_t allowed;
  std::uint32_t required;
  bool batches;  // takes "items"
};

[[nodiscard]] constexpr Schema schema_of(Operation operation) noexcept {
  switch (operation) {
    case Operation::kTokenize:
      return {bit(Field::kPan) | bit(Field::kExpiry) | bit(Field::kCustomer) | bit(Field::kFormat) |
                  bit(Field::kTtl) | bit(Field::kMetadata),
              bit(Field::kPan), true};
    case Operation::kDetokenize:
      return {bit(Field::kToken) | bit(Field::kPurpose) | bit(Field::kMask),
              bit(Field::kToken) | bit(Field::kPurpose), true};
    default:
      return {bit(Field::kCustomer) | bit(Field::kAfter), bit(Field::kCustomer), false};
  }
}

[[nodiscard]] constexpr Field field_of(std::string_view name) noexcept {
  struct Name {
    std::string_view name;
    Field field;
  };
  constexpr auto kNames = std::to_array<Name>({{"pan", Field::kPan},
                                               {"expiry", Field::kExpiry},
                                               {"customer", Field::kCustomer},
                                               {"token", Field::kToken},
                                               {"purpose", Field::kPurpose},
                                               {"items", Field::kItems},
                                               {"metadata", Field::kMetadata},
                                               {"format", Field::kFormat},
                                               {"ttl", Field::kTtl},
                                               {"mask", Field::kMask},
                                               {"after", Field::kAfter}});
  for (const Name& n : kNames) {
    if (n.name == name) return n.field;
  }
  return Field::kUnknown;
}

}  // namespace cardvault::gate
