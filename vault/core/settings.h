// What the configuration decides for the domain. Immutable: a reload makes a new one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
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
  // Sealed reveals: instead of Settings::confirm_sealed.
  std::optional<bool> confirm = std::nullopt;

  [[nodiscard]] bool country_allowed(std::string_view country) const {
    return countries.empty() || std::ranges::find(countries, country) != countries.end();
  }
  [[nodiscard]] bool currency_allowed(std::string_view currency) const {
    return currencies.empty() || std::ranges::find(currencies, currency) != currencies.end();
  }
};

// Codes of one purpose. The bank's rule is 15 minutes; SP 800-63B 5.1.3.2 asks for at most 10.
struct OtpPurpose {
  std::uint32_t ttl_s = 900;
  std::uint32_t max_ttl_s = 900;
  std::uint8_t digits = 6;
  bool context = false;  // amount, currency and payee are required, else refused
};

// The purpose of codes that confirm a payment.
inline constexpr std::string_view kConfirmingPurpose = "confirm_transaction";

struct OtpSettings {
  std::map<std::string, OtpPurpose, std::less<>> purposes{
      {"verify_login", {}}, {"change_password", {}}, {"confirm_transaction", {900, 900, 6, true}}};
  std::uint32_t resend_s = 60;  // between two codes of a subject and purpose
  std::uint32_t sends = 5;      // of a subject and purpose per window; 0: no limit
  std::uint32_t send_window_s = 3600;
  std::uint32_t spend_s = 900;  // a verified code can be spent that long
};

// Wrong codes and secrets alike.
struct AttemptSettings {
  std::uint32_t tries = 3;                 // the bank's rule: then locked …
  std::uint32_t lock_s = 900;              // … for 15 minutes, per subject and purpose
  std::uint32_t subject_cap = 100;         // failures until an operator unlocks; 0: no limit
  std::uint32_t failures_per_hour = 3000;  // of all subjects together; 0: no limit
};

struct SecretSettings {
  std::uint32_t password_min = 8;  // characters (Unicode code points; SP 800-63B 5.1.1.2)
  std::uint32_t quick_code_digits = 4;
  std::string enroll_code;  // purpose of the verified code that enrolling spends; "": none
  std::string change_code = "change_password";  // and changing
  std::uint32_t argon2_memory_kib = 19'456;     // OWASP's minimum; RFC 9106 section 4 for more
  std::uint32_t argon2_passes = 2;
  std::uint32_t argon2_lanes = 1;
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
  // A sealed reveal is for a payment that the card's customer has confirmed: by a code
  // (kConfirmingPurpose) with the same amount, currency and payee, which is spent by it.
  bool confirm_sealed = true;
  std::string issuer = "cardvault";  // `iss` of sealed data and receipts
  OtpSettings otp;
  AttemptSettings attempts;
  SecretSettings secrets;

  [[nodiscard]] bool needs_confirmation(std::string_view purpose) const {
    const auto policy = purposes.find(std::string(purpose));
    return policy == purposes.end() ? confirm_sealed
                                    : policy->second.confirm.value_or(confirm_sealed);
  }
};

}  // namespace cardvault::core
