#include "vault/base/result.h"

namespace cardvault::base {

std::string_view code_name(Code code) noexcept {
  switch (code) {
    case Code::kBadHttp: return "bad_http";
    case Code::kTransferEncodingRefused: return "transfer_encoding_refused";
    case Code::kLengthRequired: return "length_required";
    case Code::kHttpVersionRefused: return "http_version_refused";
    case Code::kMethodNotAllowed: return "method_not_allowed";
    case Code::kPathNotFound: return "path_not_found";
    case Code::kHeadersTooLarge: return "headers_too_large";
    case Code::kPayloadTooLarge: return "payload_too_large";
    case Code::kUnsupportedMediaType: return "unsupported_media_type";
    case Code::kRequestTimeout: return "request_timeout";
    case Code::kInvalidJson: return "invalid_json";
    case Code::kUnknownField: return "unknown_field";
    case Code::kDuplicateField: return "duplicate_field";
    case Code::kMissingField: return "missing_field";
    case Code::kInvalidField: return "invalid_field";
    case Code::kSensitiveAuthenticationData: return "sensitive_authentication_data";
    case Code::kInvalidIdempotencyKey: return "invalid_idempotency_key";
    case Code::kBatchSize: return "batch_size";
    case Code::kClientUnknown: return "client_unknown";
    case Code::kClientRevoked: return "client_revoked";
    case Code::kClientFrozen: return "client_frozen";
    case Code::kCertificateExpired: return "certificate_expired";
    case Code::kPermissionDenied: return "permission_denied";
    case Code::kPurposeDenied: return "purpose_denied";
    case Code::kRateLimited: return "rate_limited";
    case Code::kInvalidPan: return "invalid_pan";
    case Code::kPanInField: return "pan_in_field";
    case Code::kInvalidExpiry: return "invalid_expiry";
    case Code::kCardExpired: return "card_expired";
    case Code::kInvalidCustomer: return "invalid_customer";
    case Code::kCustomerRequired: return "customer_required";
    case Code::kInvalidMetadata: return "invalid_metadata";
    case Code::kInvalidTtl: return "invalid_ttl";
    case Code::kBinUnknown: return "bin_unknown";
    case Code::kCountryRefused: return "country_refused";
    case Code::kCurrencyRefused: return "currency_refused";
    case Code::kCardLimitReached: return "card_limit_reached";
    case Code::kPanBudgetExhausted: return "pan_budget_exhausted";
    case Code::kRevealBudgetExhausted: return "reveal_budget_exhausted";
    case Code::kInvalidToken: return "invalid_token";
    case Code::kTokenNotFound: return "token_not_found";
    case Code::kCardFrozen: return "card_frozen";
    case Code::kCustomerFrozen: return "customer_frozen";
    case Code::kIdempotencyMismatch: return "idempotency_mismatch";
    case Code::kIdempotencyRunning: return "idempotency_running";
    case Code::kVaultUnavailable: return "vault_unavailable";
    case Code::kOverloaded: return "overloaded";
    case Code::kSealed: return "sealed";
    case Code::kHsmUnavailable: return "hsm_unavailable";
    case Code::kHsmPinRefused: return "hsm_pin_refused";
    case Code::kMechanismMissing: return "mechanism_missing";
    case Code::kKeyMissing: return "key_missing";
    case Code::kKeyExhausted: return "key_exhausted";
    case Code::kRecordDamaged: return "record_damaged";
    case Code::kStoreFailed: return "store_failed";
    case Code::kStorageFull: return "storage_full";
    case Code::kClockSuspect: return "clock_suspect";
    case Code::kConflict: return "conflict";
    case Code::kInternal: return "internal";
    case Code::kNotFound: return "not_found";
    case Code::kAlreadyExists: return "already_exists";
    case Code::kInvalidArgument: return "invalid_argument";
    case Code::kNotAllowed: return "not_allowed";
  }
  return "internal";
}

}  // namespace cardvault::base
