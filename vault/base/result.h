// Outcomes of operations: a value, or an Error that can hold no request data.
//
// Three kinds of failure are never mixed (CONTRIBUTING.md): outcomes travel as Result<T>, start-up
// problems are StartupError exceptions caught once in main, bugs abort in CHECK (check.h).
#pragma once

#include <cstdint>
#include <expected>
#include <stdexcept>
#include <string>
#include <string_view>

namespace cardvault::base {

// Every way in which the vault says no, closed. The names are the stable `code` of problem+json
// (docs/openapi.yaml) and of audit events; renaming one breaks clients.
enum class Code : std::uint8_t {
  // The request's form, found by a gate.
  kBadHttp,
  kTransferEncodingRefused,
  kLengthRequired,
  kHttpVersionRefused,
  kMethodNotAllowed,
  kPathNotFound,
  kHeadersTooLarge,
  kPayloadTooLarge,
  kUnsupportedMediaType,
  kRequestTimeout,
  kInvalidJson,
  kUnknownField,
  kDuplicateField,
  kMissingField,
  kInvalidField,
  kSensitiveAuthenticationData,
  kInvalidIdempotencyKey,
  kBatchSize,
  // Who asks.
  kClientUnknown,
  kClientRevoked,
  kClientFrozen,
  kCertificateExpired,
  kPermissionDenied,
  kPurposeDenied,
  kRateLimited,
  // The card and its customer.
  kInvalidPan,
  kPanInField,
  kInvalidExpiry,
  kCardExpired,
  kInvalidCustomer,
  kCustomerRequired,
  kInvalidMetadata,
  kInvalidTtl,
  kBinUnknown,
  kCountryRefused,
  kCurrencyRefused,
  kCardLimitReached,
  kPanBudgetExhausted,
  kRevealBudgetExhausted,
  kInvalidToken,
  kTokenNotFound,
  kCardFrozen,
  kCustomerFrozen,
  // Codes, secrets, recipients.
  kInvalidSubject,
  kInvalidContext,
  kOtpPurposeUnknown,
  kVerificationFailed,
  kLocked,
  kSubjectBlocked,
  kFailureBudgetExhausted,
  kResendTooSoon,
  kSendLimitReached,
  kConfirmationRequired,
  kSecretTooWeak,
  kAlreadyEnrolled,
  kNotEnrolled,
  kRecipientUnknown,
  kRecipientNotAllowed,
  kRecipientExpired,
  kIdempotencyMismatch,
  kIdempotencyRunning,
  // The vault itself.
  kVaultUnavailable,
  kOverloaded,
  kSealed,
  kHsmUnavailable,
  kHsmPinRefused,
  kMechanismMissing,
  kKeyMissing,
  kKeyExhausted,
  kRecordDamaged,
  kStoreFailed,
  kStorageFull,
  kClockSuspect,
  kConflict,
  kInternal,
  // Administration.
  kNotFound,
  kAlreadyExists,
  kInvalidArgument,
  kNotAllowed,
  kApprovalNeeded,
};

inline constexpr Code kLastCode = Code::kApprovalNeeded;

// The stable name, e.g. "invalid_pan". Never null.
[[nodiscard]] std::string_view code_name(Code code) noexcept;

// What went wrong, where, and the number the layer below gave (CK_RV, SQLite or OpenSSL code,
// errno). `operation` is a string literal: no request data can enter an Error, so one can be logged
// as is.
struct Error {
  Code code = Code::kInternal;
  const char* operation = "";
  long number = 0;
};

template <class T = void>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(Code code, const char* operation,
                                                 long number = 0) {
  return std::unexpected(Error{code, operation, number});
}

// A start-up problem: `what()` says what is wrong and what to do next. Caught once, in main.
class StartupError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace cardvault::base
