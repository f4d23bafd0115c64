#include "protocol/gate/problem.h"

namespace cardvault::gate {

Problem problem_of(base::Code code) noexcept {
  using enum base::Code;
  switch (code) {
    case kBadHttp:
      return {400, "The request is not strict HTTP/1.1",
              "Send one Host field, CRLF line ends, an origin-form target, no folded or repeated "
              "framing fields, no Upgrade, and no body with GET, DELETE, freeze or unfreeze."};
    case kTransferEncodingRefused:
      return {411, "Transfer-Encoding is refused",
              "Send the body with a Content-Length field instead of chunked; streaming clients "
              "have a setting for it."};
    case kLengthRequired:
      return {411, "The request has no Content-Length",
              "Send the length of the body in a Content-Length field."};
    case kHttpVersionRefused:
      return {505, "Only HTTP/1.1 is spoken here", "Send the request as HTTP/1.1."};
    case kMethodNotAllowed:
      return {405, "This resource does not take this method",
              "Use one of the methods in the Allow field."};
    case kPathNotFound:
      return {404, "There is no such resource",
              "Check the path; paths take no query string and no trailing slash."};
    case kHeadersTooLarge:
      return {431, "The header is too large",
              "Send fewer or shorter fields; cookies are not used here."};
    case kPayloadTooLarge:
      return {413, "The body is too large", "Send fewer items in one request."};
    case kUnsupportedMediaType:
      return {415, "The body is not application/json",
              "Send Content-Type: application/json, and the body as it is, without a "
              "Content-Encoding."};
    case kRequestTimeout:
      return {408, "The request took too long to arrive",
              "Send the whole request at once and try again."};
    case kInvalidJson:
      return {400, "The body is not valid JSON for this resource",
              "Send one JSON object in UTF-8, nested no deeper than the documentation shows, "
              "without NUL characters and with nothing after it."};
    case kUnknownField:
      return {400, "The body has a field that is not known",
              "Remove every field that the documentation of this resource does not name."};
    case kDuplicateField:
      return {400, "The body has a field twice", "Send each field once."};
    case kMissingField:
      return {400, "The body lacks a field",
              "Add the fields that the documentation of this resource requires."};
    case kInvalidField:
      return {
          400, "A field has a wrong type or value",
          "Compare each field's type and allowed values with the documentation of this resource."};
    case kSensitiveAuthenticationData:
      return {422, "Card verification codes, PINs and track data are never taken",
              "Remove the field and make sure that it is not kept anywhere (PCI DSS 3.3.1)."};
    case kInvalidIdempotencyKey:
      return {400, "The Idempotency-Key is not usable",
              "Send one key of 1 to 128 visible ASCII characters, such as a UUID; none for a code "
              "in the clear."};
    case kBatchSize:
      return {400, "The batch has no items or too many",
              "Send 1 to 1,000 items, at most 250 of them to be sealed."};
    case kClientUnknown:
      return {403, "This certificate belongs to no registered client",
              "Ask the vault's operators to register it with `cardvault client add`."};
    case kClientRevoked:
      return {403, "This client is revoked", "Ask the vault's operators for a new certificate."};
    case kClientFrozen:
      return {403, "This client is frozen",
              "Ask the vault's operators; two of them can release it."};
    case kCertificateExpired:
      return {403, "The client certificate has expired", "Connect with a renewed certificate."};
    case kPermissionDenied:
      return {
          403, "This client may not do this here",
          "Ask the vault's operators which permissions the client has and which gate serves them."};
    case kPurposeDenied:
      return {403, "This client may not reveal for this purpose",
              "Send one of the purposes that /v1/whoami lists; for *, a name of 1 to 63 of a-z, "
              "0-9, . _ and -."};
    case kRateLimited:
      return {429, "Too many requests", "Wait as long as Retry-After says."};
    case kInvalidPan:
      return {422, "The card number is not valid",
              "Have the number entered again: 12 to 19 digits with a right check digit."};
    case kPanInField:
      return {422, "A field other than pan holds a card number",
              "Send card numbers in the field pan only."};
    case kInvalidExpiry:
      return {422, "The expiry is not valid", "Send it as YYYY-MM, of the years 2000 to 2099."};
    case kCardExpired:
      return {422, "The card has expired", "Ask for another card."};
    case kInvalidCustomer:
      return {422, "The customer is not valid",
              "Send an identifier of 1 to 128 bytes without control characters."};
    case kCustomerRequired:
      return {422, "This client must name a customer", "Add the field customer."};
    case kInvalidMetadata:
      return {422, "The metadata is not valid",
              "Send at most 8 entries, 512 bytes together, without card numbers: names of 1 to 32 "
              "letters, digits, . _ and -, and text."};
    case kInvalidTtl:
      return {422, "The ttl is not valid",
              "Send whole seconds: of a card 1 to 315360000, of a code no more than its purpose "
              "allows (900 by default)."};
    case kBinUnknown:
      return {422, "The card's issuer is not known",
              "Ask for another card, or the vault's operators for a newer BIN table."};
    case kCountryRefused:
      return {422, "Cards issued in this country are refused",
              "Ask for a card issued in a country that is taken."};
    case kCurrencyRefused:
      return {422, "Cards in this currency are refused",
              "Ask for a card in a currency that is taken."};
    case kCardLimitReached:
      return {409, "The customer has as many cards as are allowed",
              "Delete one of the customer's cards first."};
    case kPanBudgetExhausted:
      return {429, "The customer has tried too many card numbers",
              "Wait as long as Retry-After says."};
    case kRevealBudgetExhausted:
      return {429, "The budget of reveals is used up",
              "Wait as long as Retry-After says; /v1/whoami shows the quotas."};
    case kInvalidToken:
      return {422, "The token is not valid", "Send a token as the vault gave it."};
    case kTokenNotFound:
      return {404, "There is no such token",
              "It was deleted, has ended, or was never given out; store the card again."};
    case kCardFrozen:
      return {423, "The card is frozen", "Unfreeze it, or ask the vault's operators."};
    case kCustomerFrozen:
      return {423, "The customer is frozen", "Ask the vault's operators."};
    case kInvalidSubject:
      return {422, "The subject is not valid",
              "Send an identifier of 1 to 128 bytes without control characters."};
    case kInvalidContext:
      return {422, "The payment is not valid, or this purpose needs one",
              "Send a context with a whole amount in minor units, a currency of three capital "
              "letters and a payee of 1 to 128 bytes."};
    case kOtpPurposeUnknown:
      return {422, "There are no codes for this purpose",
              "Send one of the purposes that the vault is configured for."};
    case kVerificationFailed:
      return {
          403, "What was entered does not verify",
          "Have it entered again, as often as attempts_left says; a code can also be sent anew."};
    case kLocked:
      return {423, "Too many wrong attempts: locked for a while",
              "Wait as long as Retry-After says."};
    case kSubjectBlocked:
      return {423, "The subject is blocked after too many wrong attempts",
              "Ask the vault's operators to unlock it."};
    case kFailureBudgetExhausted:
      return {429, "Too many wrong attempts by all subjects together",
              "Wait as long as Retry-After says; the vault's operators know."};
    case kResendTooSoon:
      return {429, "The last code was sent a moment ago", "Wait as long as Retry-After says."};
    case kSendLimitReached:
      return {429, "The subject was sent as many codes as are allowed",
              "Wait as long as Retry-After says."};
    case kConfirmationRequired:
      return {403, "This needs a verified code first",
              "Seal a code with the same subject and context, have it verified, then ask again; a "
              "verified code counts once."};
    case kSecretTooWeak:
      return {422, "The secret is too short, too common or too regular",
              "Have a longer or less common one chosen."};
    case kAlreadyEnrolled:
      return {409, "The subject has a secret of this kind", "Change it, or remove it first."};
    case kNotEnrolled:
      return {404, "The subject has no secret of this kind", "Enroll one first."};
    case kRecipientUnknown:
      return {422, "There is no such recipient",
              "Ask the vault's operators to register it with `cardvault recipient add`."};
    case kRecipientNotAllowed:
      return {403, "This recipient is not sent such data",
              "Ask the vault's operators what the recipient may be sent."};
    case kRecipientExpired:
      return {422, "The recipient's certificate is not valid now",
              "Ask the vault's operators to register the recipient's new certificate."};
    case kIdempotencyMismatch:
      return {422, "The Idempotency-Key was used with another body",
              "Send a new key with a new request."};
    case kIdempotencyRunning:
      return {409, "The first request with this Idempotency-Key is still running",
              "Try again in a moment with the same key and body."};
    case kVaultUnavailable:
      return {503, "The vault does not answer at the moment",
              "Try again after Retry-After; a tokenize with the same Idempotency-Key is safe to "
              "repeat."};
    case kOverloaded:
      return {503, "The vault has too much to do",
              "Try again after Retry-After, with a growing delay."};
    case kSealed:
      return {503, "The vault is sealed", "Try again later; its operators have to open it."};
    case kHsmUnavailable:
      return {503, "The vault's security module does not answer", "Try again after Retry-After."};
    case kHsmPinRefused:
      return {503, "The vault's security module refuses the vault",
              "Try again later; its operators have to act."};
    case kMechanismMissing:
      return {503, "The vault's security module lacks a mechanism",
              "Try again later; its operators have to act."};
    case kKeyMissing:
      return {503, "The vault lacks a key", "Try again later; its operators have to act."};
    case kKeyExhausted:
      return {503, "A key of the vault has reached its limit of use",
              "Try again later; its operators have to make a new version."};
    case kRecordDamaged:
      return {500, "The record is damaged",
              "Tell the vault's operators; trying again does not help."};
    case kStoreFailed:
      return {503, "The vault's files can't be written or read now",
              "Try again after Retry-After; if it stays, its operators have to act: its own log "
              "says which files."};
    case kStorageFull:
      return {503, "The vault's storage is full", "Try again later; its operators have to act."};
    case kClockSuspect:
      return {503, "The vault's clock is in doubt",
              "Try again later; its operators have to confirm the time."};
    case kConflict:
      return {409, "The request met another one", "Try again."};
    case kInternal:
      return {500, "Something went wrong inside the vault",
              "Tell the vault's operators the time of the request."};
    case kNotFound:
      return {404, "There is no such thing", "Check the name."};
    case kAlreadyExists:
      return {409, "It exists already", "Use another name."};
    case kInvalidArgument:
      return {400, "An argument is not valid", "Compare the arguments with the documentation."};
    case kNotAllowed:
      return {403, "This is not allowed", "Ask the vault's operators."};
    case kApprovalNeeded:
      return {409, "Another operator has to ask for the same",
              "Have a second operator run the same command."};
  }
  return {500, "Something went wrong inside the vault",
          "Tell the vault's operators the time of the request."};
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
