// A card's expiry month.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "vault/base/result.h"

namespace cardvault::core {

// Months since year 0 ("2027-12" is 2027*12+11); 0 means that the card has none on record.
struct Expiry {
  std::uint16_t months = 0;

  // "YYYY-MM", year 2000..2099. kInvalidExpiry otherwise.
  [[nodiscard]] static base::Result<Expiry> parse(std::string_view text);
  [[nodiscard]] std::string text() const;  // "" when there is none
  [[nodiscard]] bool known() const noexcept { return months != 0; }
  // A card is good until the last moment of its month, in UTC-12, the last place on earth.
  [[nodiscard]] bool expired(std::int64_t now_ms) const noexcept;
  friend bool operator==(const Expiry&, const Expiry&) = default;
};

}  // namespace cardvault::core
