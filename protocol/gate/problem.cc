#include "protocol/gate/problem.h"

namespace cardvault::gate {

const Problem& problem_of(base::Code code) noexcept {
  using enum base::Code;
  switch (code) {
    case kBadHttp: {
      static constexpr Problem p{
          400, "The request is not strict HTTP/1.1",
          "Send one Host field, CRLF line ends, an origin-form target, no folded or repeated "
          "framing fields, no Upgrade, and no body with GET or DELETE."};
      return p;
    }
    case kTransferEncodingRefused: {
      static constexpr Problem p{411, "Transfer-Encoding is refused",
                                 "Send the body with a Content-Length field instead of chunked; "
                                 "streaming clients have a setting for it."};
      return p;
    }
    case kLengthRequired: {
      static constexpr Problem p{411, "The request has no Content-Length",
                                 "Send the length of the body in a Content-Length field."};
      return p;
    }
    case kHttpVersionRefused: {
      static constexpr Problem p{505, "Only HTTP/1.1 is spoken here",
                                 "Send the request as HTTP/1.1."};
      return p;
    }
    case kMethodNotAllowed: {
      static constexpr Problem p{405, "This resource does not take this method",
                                 "Use one of the methods in the Allow field."};
      return p;
    }
    case kPathNotFound: {
      static constexpr Problem p{
          404, "There is no such resource",
          "Check the path; paths take no query string and no trailing slash."};
      return p;
    }
    case kHeadersTooLarge: {
      static constexpr Problem p{431, "The header is too large",
                                 "Send fewer or shorter fields; cookies are not used here."};
      return p;
    }
    case kPayloadTooLarge: {
      static constexpr Problem p{413, "The body is too large", "Send fewer items in one request."};
      return p;
    }
    case kUnsupportedMediaType: {
      static constexpr Problem p{415, "The body is not application/json",
                                 "Send Content-Type: application/json."};
      return p;
    }
    case kRequestTimeout: {
      static constexpr Problem p{408, "The request took too long to arrive",
                                 "Send the whole request at once and try again."};
      return p;
    }
    case kInvalidJson: {
      static constexpr Problem p{
          400, "The body is not valid JSON for this resource",
          "Send one JSON object in UTF-8, nested no deeper than the documentation shows, without "
          "NUL characters and with nothing after it."};
      return p;
    }
    case kUnknownField: {
      static constexpr Problem p{
          400, "The body has a field that is not known",
          "Remove every field that the documentation of this resource does not name."};
      return p;
    }
    case kDuplicateField: {
      static constexpr Problem p{400, "The body has a field twice", "Send each field once."};
      return p;
    }
    case kMissingField: {
      static constexpr Problem p{
          400, "The body lacks a field",
          "Add the fields that the documentation of this resource requires."};
      return p;
    }
    case kInvalidField: {
      static constexpr Problem p{
          400, "A field has a wrong type or value",
          "Compare each field's type and allowed values with the documentation of this resource."};
      return p;
    }
    case kSensitiveAuthenticationData: {
      static constexpr Problem p{
          422, "Card verification codes, PINs and track data are never taken",
          "Remove the field and make sure that it is not kept anywhere (PCI DSS 3.3.1)."};
      return p;
    }
    case kInvalidIdempotencyKey: {
      static constexpr Problem p{400, "The Idempotency-Key is not usable",
                                 "Send one key of 1 to 128 visible ASCII characters, such as a "
                                 "UUID; none for a code in the "
                                 "clear."};
      return p;
    }
    case kBatchSize: {
      static constexpr Problem p{400, "The batch has no items or too many",
                                 "Send 1 to 1,000 items, at most 250 of them to be sealed."};
      return p;
    }
    case kClientUnknown: {
      static constexpr Problem p{
          403, "This certificate belongs to no registered client",
          "Ask the vault's operators to register it with `cardvault client add`."};
      return p;
    }
    case kClientRevoked: {
      static constexpr Problem p{403, "This client is revoked",
                                 "Ask the vault's operators for a new certificate."};
      return p;
    }
    case kClientFrozen: {
      static constexpr Problem p{403, "This client is frozen",
                                 "Ask the vault's operators; two of them can release it."};
      return p;
    }
    case kCertificateExpired: {
      static constexpr Problem p{403, "The client certificate has expired",
                                 "Connect with a renewed certificate."};
      return p;
    }
    case kPermissionDenied: {
      static constexpr Problem p{
          403, "This client may not do this here",
          "Ask the vault's operators which permissions the client has and which gate serves them."};
      return p;
    }
    case kPurposeDenied: {
      static constexpr Problem p{403, "This client may not reveal for this purpose",
                                 "Send one of the purposes that /v1/whoami lists."};
      return p;
    }
    case kRateLimited: {
      static constexpr Problem p{429, "Too many requests", "Wait as long as Retry-After says."};
      return p;
    }
    case kInvalidPan: {
      static constexpr Problem p{
          422, "The card number is not valid",
          "Have the number entered again: 12 to 19 digits with a right check digit."};
      return p;
    }
    case kPanInField: {
      static constexpr Problem p{422, "A field other than pan holds a card number",
                                 "Send card numbers in the field pan only."};
      return p;
    }
    case kInvalidExpiry: {
      static constexpr Problem p{422, "The expiry is not valid", "Send it as YYYY-MM."};
      return p;
    }
    case kCardExpired: {
      static constexpr Problem p{422, "The card has expired", "Ask for another card."};
      return p;
    }
    case kInvalidCustomer: {
      static constexpr Problem p{
          422, "The customer is not valid",
          "Send an identifier of 1 to 128 bytes without control characters."};
      return p;
    }
    case kCustomerRequired: {
      static constexpr Problem p{422, "This client must name a customer",
                                 "Add the field customer."};
      return p;
    }
    case kInvalidMetadata: {
      static constexpr Problem p{
          422, "The metadata is not valid",
          "Send at most 8 entries of text, 512 bytes together, without card numbers."};
      return p;
    }
    case kInvalidTtl: {
      static constexpr Problem p{422, "The ttl is not valid",
                                 "Send whole seconds from 1 to 315360000."};
      return p;
    }
    case kBinUnknown: {
      static constexpr Problem p{
          422, "The card's issuer is not known",
          "Ask for another card, or the vault's operators for a newer BIN table."};
      return p;
    }
    case kCountryRefused: {
      static constexpr Problem p{422, "Cards issued in this country are refused",
                                 "Ask for a card issued in a country that is taken."};
      return p;
    }
    case kCurrencyRefused: {
      static constexpr Problem p{422, "Cards in this currency are refused",
                                 "Ask for a card in a currency that is taken."};
      return p;
    }
    case kCardLimitReached: {
      static constexpr Problem p{409, "The customer has as many cards as are allowed",
                                 "Delete one of the customer's cards first."};
      return p;
    }
    case kPanBudgetExhausted: {
      static constexpr Problem p{429, "The customer has tried too many card numbers",
                                 "Wait as long as Retry-After says."};
      return p;
    }
    case kRevealBudgetExhausted: {
      static constexpr Problem p{429, "The budget of reveals is used up",
                                 "Wait as long as Retry-After says; /v1/whoami shows the quotas."};
      return p;
    }
    case kInvalidToken: {
      static constexpr Problem p{422, "The token is not valid",
                                 "Send a token as the vault gave it."};
      return p;
    }
    case kTokenNotFound: {
      static constexpr Problem p{
          404, "There is no such token",
          "It was deleted, has ended, or was never given out; store the card again."};
      return p;
    }
    case kCardFrozen: {
      static constexpr Problem p{423, "The card is frozen",
                                 "Unfreeze it, or ask the vault's operators."};
      return p;
    }
    case kCustomerFrozen: {
      static constexpr Problem p{423, "The customer is frozen", "Ask the vault's operators."};
      return p;
    }
    case kInvalidSubject: {
      static constexpr Problem p{
          422, "The subject is not valid",
          "Send an identifier of 1 to 128 bytes without control characters."};
      return p;
    }
    case kInvalidContext: {
      static constexpr Problem p{
          422, "The payment is not valid, or this purpose needs one",
          "Send a context with a whole amount in minor units, a currency of three capital letters "
          "and a payee of 1 to 128 bytes."};
      return p;
    }
    case kOtpPurposeUnknown: {
      static constexpr Problem p{422, "There are no codes for this purpose",
                                 "Send one of the purposes that the vault is configured for."};
      return p;
    }
    case kVerificationFailed: {
      static constexpr Problem p{
          403, "What was entered does not verify",
          "Have it entered again, or a new code sent; attempts_left says how often."};
      return p;
    }
    case kLocked: {
      static constexpr Problem p{423, "Too many wrong attempts: locked for a while",
                                 "Wait as long as Retry-After says."};
      return p;
    }
    case kSubjectBlocked: {
      static constexpr Problem p{423, "The subject is blocked after too many wrong attempts",
                                 "Ask the vault's operators to unlock it."};
      return p;
    }
    case kFailureBudgetExhausted: {
      static constexpr Problem p{429, "Too many wrong attempts by all subjects together",
                                 "Wait as long as Retry-After says; the vault's operators know."};
      return p;
    }
    case kResendTooSoon: {
      static constexpr Problem p{429, "The last code was sent a moment ago",
                                 "Wait as long as Retry-After says."};
      return p;
    }
    case kSendLimitReached: {
      static constexpr Problem p{429, "The subject was sent as many codes as are allowed",
                                 "Wait as long as Retry-After says."};
      return p;
    }
    case kConfirmationRequired: {
      static constexpr Problem p{
          403, "This needs a verified code first",
          "Seal a code with the same subject and context, have it verified, then ask again; a "
          "verified code counts once."};
      return p;
    }
    case kSecretTooWeak: {
      static constexpr Problem p{
          422, "The secret is too short, too common or of a wrong form",
          "Have a longer or less common one chosen; a quick code has a fixed number of digits."};
      return p;
    }
    case kAlreadyEnrolled: {
      static constexpr Problem p{409, "The subject has a secret of this kind",
                                 "Change it, or remove it first."};
      return p;
    }
    case kNotEnrolled: {
      static constexpr Problem p{404, "The subject has no secret of this kind",
                                 "Enroll one first."};
      return p;
    }
    case kRecipientUnknown: {
      static constexpr Problem p{
          422, "There is no such recipient",
          "Ask the vault's operators to register it with `cardvault recipient add`."};
      return p;
    }
    case kRecipientNotAllowed: {
      static constexpr Problem p{403, "This recipient is not sent such data",
                                 "Ask the vault's operators what the recipient may be sent."};
      return p;
    }
    case kRecipientExpired: {
      static constexpr Problem p{
          422, "The recipient's certificate is not valid now",
          "Ask the vault's operators to register the recipient's new certificate."};
      return p;
    }
    case kIdempotencyMismatch: {
      static constexpr Problem p{422, "The Idempotency-Key was used with another body",
                                 "Send a new key with a new request."};
      return p;
    }
    case kIdempotencyRunning: {
      static constexpr Problem p{409,
                                 "The first request with this Idempotency-Key is still running",
                                 "Try again in a moment with the same key and body."};
      return p;
    }
    case kVaultUnavailable: {
      static constexpr Problem p{503, "The vault does not answer at the moment",
                                 "Try again after Retry-After; a tokenize with the same "
                                 "Idempotency-Key is safe to repeat."};
      return p;
    }
    case kOverloaded: {
      static constexpr Problem p{503, "The vault has too much to do",
                                 "Try again after Retry-After, with a growing delay."};
      return p;
    }
    case kSealed: {
      static constexpr Problem p{503, "The vault is sealed",
                                 "Try again later; its operators have to open it."};
      return p;
    }
    case kHsmUnavailable: {
      static constexpr Problem p{503, "The vault's security module does not answer",
                                 "Try again after Retry-After."};
      return p;
    }
    case kHsmPinRefused: {
      static constexpr Problem p{503, "The vault's security module refuses the vault",
                                 "Try again later; its operators have to act."};
      return p;
    }
    case kMechanismMissing: {
      static constexpr Problem p{503, "The vault's security module lacks a mechanism",
                                 "Try again later; its operators have to act."};
      return p;
    }
    case kKeyMissing: {
      static constexpr Problem p{503, "The vault lacks a key",
                                 "Try again later; its operators have to act."};
      return p;
    }
    case kKeyExhausted: {
      static constexpr Problem p{503, "A key of the vault has reached its limit of use",
                                 "Try again later; its operators have to make a new version."};
      return p;
    }
    case kRecordDamaged: {
      static constexpr Problem p{500, "The record is damaged",
                                 "Tell the vault's operators; trying again does not help."};
      return p;
    }
    case kStoreFailed: {
      static constexpr Problem p{503, "The vault's files can't be written or read now",
                                 "Try again after Retry-After; if it stays, its operators have "
                                 "to act: its own log says which files."};
      return p;
    }
    case kStorageFull: {
      static constexpr Problem p{503, "The vault's storage is full",
                                 "Try again later; its operators have to act."};
      return p;
    }
    case kClockSuspect: {
      static constexpr Problem p{503, "The vault's clock is in doubt",
                                 "Try again later; its operators have to confirm the time."};
      return p;
    }
    case kConflict: {
      static constexpr Problem p{409, "The request met another one", "Try again."};
      return p;
    }
    case kInternal: {
      static constexpr Problem p{500, "Something went wrong inside the vault",
                                 "Tell the vault's operators the time of the request."};
      return p;
    }
    case kNotFound: {
      static constexpr Problem p{404, "There is no such thing", "Check the name."};
      return p;
    }
    case kAlreadyExists: {
      static constexpr Problem p{409, "It exists already", "Use another name."};
      return p;
    }
    case kInvalidArgument: {
      static constexpr Problem p{400, "An argument is not valid",
                                 "Compare the arguments with the documentation."};
      return p;
    }
    case kNotAllowed: {
      static constexpr Problem p{403, "This is not allowed", "Ask the vault's operators."};
      return p;
    }
    case kApprovalNeeded: {
      static constexpr Problem p{409, "Another operator has to ask for the same",
                                 "Have a second operator run the same command."};
      return p;
    }
  }
  static constexpr Problem p{500, "Something went wrong inside the vault",
                             "Tell the vault's operators the time of the request."};
  return p;
}

std::string_view reason_phrase(unsigned status) noexcept {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 422:
      return "Unprocessable Content";
    case 423:
      return "Locked";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Internal Server Error";
  }
}

}  // namespace cardvault::gate
