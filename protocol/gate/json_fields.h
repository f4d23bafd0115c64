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
  kSubject,
  kContext,
  kRecipient,
  kClear,
  kDigits,
  kCode,
  kKind,
  kSecret,
  kAmount,
  kCurrency,
  kPayee,
};

template <class... Fields>
[[nodiscard]] constexpr std::uint32_t bits(Fields... fields) noexcept {
  return ((1U << static_cast<unsigned>(fields)) | ...);
}

// What an object may and must hold, besides "items".
struct Schema {
  std::uint32_t allowed;
  std::uint32_t required;
  bool batches = false;  // takes "items"
};

[[nodiscard]] constexpr Schema schema_of(Operation operation) noexcept {
  using enum Field;
  switch (operation) {
    case Operation::kTokenize:
      return {bits(kPan, kExpiry, kCustomer, kFormat, kTtl, kMetadata), bits(kPan), true};
    case Operation::kDetokenize:
      return {bits(kToken, kPurpose, kMask, kRecipient, kContext), bits(kToken, kPurpose), true};
    case Operation::kOtpSeal:
      return {bits(kSubject, kPurpose, kContext, kRecipient, kClear, kTtl, kDigits),
              bits(kSubject, kPurpose)};
    case Operation::kOtpVerify:
      return {bits(kSubject, kPurpose, kContext, kCode), bits(kSubject, kPurpose, kCode)};
    case Operation::kOtpCancel:
      return {bits(kSubject, kPurpose), bits(kSubject, kPurpose)};
    case Operation::kSecretEnroll:
    case Operation::kSecretVerify:
    case Operation::kSecretChange:
      return {bits(kSubject, kKind, kSecret), bits(kSubject, kKind, kSecret)};
    case Operation::kSecretRemove:
      return {bits(kSubject, kKind), bits(kSubject, kKind)};
    default:
      return {bits(kCustomer, kAfter), bits(kCustomer)};
  }
}

inline constexpr Schema kContextSchema{bits(Field::kAmount, Field::kCurrency, Field::kPayee),
                                       bits(Field::kAmount, Field::kCurrency, Field::kPayee)};

[[nodiscard]] constexpr Field field_of(std::string_view name) noexcept {
  struct Name {
    std::string_view name;
    Field field;
  };
  constexpr auto kNames =
      std::to_array<Name>({{"pan", Field::kPan},           {"expiry", Field::kExpiry},
                           {"customer", Field::kCustomer}, {"token", Field::kToken},
                           {"purpose", Field::kPurpose},   {"items", Field::kItems},
                           {"metadata", Field::kMetadata}, {"format", Field::kFormat},
                           {"ttl", Field::kTtl},           {"mask", Field::kMask},
                           {"after", Field::kAfter},       {"subject", Field::kSubject},
                           {"context", Field::kContext},   {"recipient", Field::kRecipient},
                           {"clear", Field::kClear},       {"digits", Field::kDigits},
                           {"code", Field::kCode},         {"kind", Field::kKind},
                           {"secret", Field::kSecret},     {"amount", Field::kAmount},
                           {"currency", Field::kCurrency}, {"payee", Field::kPayee}});
  for (const Name& n : kNames) {
    if (n.name == name) return n.field;
  }
  return Field::kUnknown;
}

}  // namespace cardvault::gate
