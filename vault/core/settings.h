// What the configuration decides for the domain. Immutable: a reload makes a new one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "vault/core/bin_table.h"
#include "vault/core/reveal_budget.h"

namespace cardvault::core {

// Which cards an operation takes; an empty list allows any value, a listed one must be known.
struct CardPolicy {
  std::vector<std::string> countries;   // ISO 3166-1 alpha-2
  std::vector<std::string> currencies;  // ISO 4217 alpha-3

  [[nodiscard]] bool country_allowed(std::string_view country) const {
    return countries.empty() || std::ranges::find(countries, country) != countries.end();
  }
  [[nodiscard]] bool currency_allowed(std::string_view currency) const {
    return currencies.empty() || std::ranges::find(currencies, currency) != currencies.end();
  }
};

struct Settings {
  CardPolicy tokenize{{"KZ"}, {}};  // the bank's rule: no cards issued elsewhere
  std::map<std::string, CardPolicy> purposes{{"card_to_card", {{}, {"KZT"}}}};  // and of reveals
  std::uint32_t cards_per_customer = 10;                                        // 0: no limit
  std::uint32_t pan_budget_day = 10;  // distinct new or refused PANs; 0: no limit
  std::uint32_t pan_budget_month = 30;
  unsigned bin_digits_stored = 6;                // 0, 6 or 8 (PCI DSS 3.4.1, SSC FAQ 1091)
  std::uint32_t rate_per_s = 2000;               // per client, items; 0: no limit
  std::uint32_t numeric_misses_per_minute = 30;  // per client; then numeric look-ups wait
  RevealLimits reveal{1000, 5000, 20};
};

}  // namespace cardvault::core
