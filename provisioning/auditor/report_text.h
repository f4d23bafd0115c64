// What a report says, in three languages.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cardvault::auditor {

enum class Language : std::uint8_t { kEnglish, kRussian, kKazakh };
// "en", "ru", "kk" (ISO 639-1).
[[nodiscard]] std::optional<Language> parse_language(std::string_view code);
[[nodiscard]] std::string_view language_code(Language language);

enum class Say : std::uint8_t {
  kTitle,
  kPeriod,
  kMade,
  kLog,
  kVerifiedTitle,
  kVerifiedText,
  kNotVerifiedTitle,
  kNotVerifiedText,
  kRecords,
  kRoot,
  kKey,
  kReplaced,
  kCheckpoint,
  kContinues,
  kEvents,
  kStored,
  kRevealed,
  kRefused,
  kAlarms,
  kLockouts,
  kOverTime,
  kRefusalsOverTime,
  kLegendStored,
  kLegendRepeated,
  kLegendRevealed,
  kLegendCodes,
  kLegendOther,
  kLegendRefused,
  kAsTable,
  kBegins,
  kByOperation,
  kOperation,
  kDone,
  kByReason,
  kReason,
  kCount,
  kFirst,
  kLast,
  kRevealsTitle,
  kClient,
  kClear,
  kSealed,
  kBusiestDay,
  kDayBudget,
  kBusiestHour,
  kHourBudget,
  kOverBudget,
  kBudgetUnknown,
  kUnlimited,
  kLockoutsTitle,
  kWhat,
  kKeysTitle,
  kKeyName,
  kKind,
  kKcv,
  kState,
  kSince,
  kPeriodEnds,
  kEnded,
  kKeyActs,
  kHsmsTitle,
  kHsmModel,
  kSerial,
  kFirmware,
  kDevice,
  kCustodianActs,
  kOperatorActs,
  kReaders,
  kClientsTitle,
  kClientActs,
  kPermissions,
  kPurposes,
  kWho,
  kResource,
  kOutcome,
  kTime,
  kRecord,
  kNone,
  kLeftOut,
  kFromLog,
  kFromVault,
  kActive,
  kDecryptOnly,
  kRetired,
  kDestroyed,
  kFrozen,
  kRevoked,
  kHardware,
  kSoftware,
  kNoEvents,
  kMalformed,
  kLast_  // how many there are
};
// HTML: without characters that need escaping, with <code> here and there.
[[nodiscard]] std::string_view say(Language language, Say what);

// 1,234,567 or 1 234 567 (with no-break spaces).
[[nodiscard]] std::string number_text(Language language, std::uint64_t number);
// Of UTC: "22 November 2026", "22 ноября 2026 г.", "2026 ж. 22 қараша".
[[nodiscard]] std::string long_date(Language language, std::int64_t unix_ms);
// "2026-11-22 06:30:00", "22.11.2026 06:30:00"; with_time false: the day alone.
[[nodiscard]] std::string short_date(Language language, std::int64_t unix_ms, bool with_time);

}  // namespace cardvault::auditor
