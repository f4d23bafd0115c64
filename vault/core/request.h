// Requests and answers as values: what gates decode, wire carries and operations take. No I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "vault/base/result.h"
#include "vault/base/secret.h"
#include "vault/core/identity.h"
#include "vault/core/token.h"

namespace cardvault::core {

inline constexpr std::size_t kMaxBatch = 1000;
inline constexpr std::int32_t kNoItem = -1;  // items are counted from 0
inline constexpr std::size_t kMaxMetadataEntries = 8;
inline constexpr std::size_t kMaxMetadataBytes = 512;  // keys and values together
inline constexpr std::size_t kMaxCustomerBytes = 128;

using Metadata = std::vector<std::pair<std::string, std::string>>;  // in the order received

struct TokenizeItem {
  base::SecretText pan;
  std::string expiry;         // "2027-12" or ""
  base::SecretText customer;  // empty: none
  TokenFormat format = TokenFormat::kOpaque;
  std::uint32_t ttl_s = 0;  // 0: no limit
  Metadata metadata;
};

// A batch answers per item; a single request answers as a whole. Same shape: `batch` tells.
struct Tokenize {
  std::vector<TokenizeItem> items;  // 1..kMaxBatch
  bool batch = false;
  std::string idempotency_key;  // "" when none was sent
};

// What a code confirms, and what a sealed card is for.
struct PaymentContext {
  std::uint64_t amount = 0;  // in minor units, 1..10^15
  std::string currency;      // ISO 4217 alpha-3
  std::string payee;         // 1..128 bytes of UTF-8
  friend bool operator==(const PaymentContext&, const PaymentContext&) = default;
};

struct DetokenizeItem {
  std::string token;
  std::string purpose;
  bool mask = false;
  std::string recipient;                  // not empty: sealed to this one, never in the clear
  std::optional<PaymentContext> context;  // with a recipient only
};
struct Detokenize {
  std::vector<DetokenizeItem> items;
  bool batch = false;
};

struct CardsSearch {
  base::SecretText customer;
  std::string after;  // opaque cursor from a previous answer's `next`, or ""
};
struct TokenGet {
  std::string token;
};
struct TokenDelete {
  std::string token;
};
struct TokenFreeze {
  std::string token;
  bool frozen = true;
};

// A new code for a subject (the customer's identifier) and purpose. Exactly one of `recipient` and
// `clear`: sealed to a registered recipient, or in the answer itself.
struct OtpSeal {
  base::SecretText subject;
  std::string purpose;
  std::optional<PaymentContext> context;
  std::string recipient;
  bool clear = false;
  std::uint32_t ttl_s = 0;  // 0: the purpose's
  std::uint8_t digits = 0;  // 6..10; 0: the purpose's
  std::string idempotency_key;
};
struct OtpVerify {
  base::SecretText subject;
  std::string purpose;
  std::optional<PaymentContext> context;
  base::SecretText code;  // 6..10 digits
};
// Voids the open code of a subject and purpose, if there is one.
struct OtpCancel {
  base::SecretText subject;
  std::string purpose;
};

// What a customer knows: kept as an Argon2id output encrypted under secret-enc.
enum class SecretKind : std::uint8_t { kPassword = 0, kQuickCode = 1 };
// "password", "quick_code"
[[nodiscard]] std::string_view secret_kind_name(SecretKind kind) noexcept;

struct SecretEnroll {
  base::SecretText subject;
  SecretKind kind = SecretKind::kPassword;
  base::SecretText secret;
};
struct SecretVerify {
  base::SecretText subject;
  SecretKind kind = SecretKind::kPassword;
  base::SecretText secret;
};
struct SecretChange {
  base::SecretText subject;
  SecretKind kind = SecretKind::kPassword;
  base::SecretText secret;  // the new one
};
struct SecretRemove {
  base::SecretText subject;
  SecretKind kind = SecretKind::kPassword;
};

struct Whoami {};
// The public keys that sealed data and receipts are signed with (RFC 7517), for any client.
struct JwksRead {};
struct MetricsRead {};
// A file of the published log (C2SP tlog-tiles), or what follows `offset` of it.
struct AuditRead {
  std::string path;  // below the log's root: "checkpoint", "tile/0/x001/234"
  std::uint64_t offset = 0;
};
// From a gate's own listener, without a caller: may this vault be sent traffic?
struct ReadyCheck {};
// A request that the gate itself refused: sent to be counted and audited; answered with the
// refusal.
struct Refused {
  base::Code code = base::Code::kInternal;
  std::string operation;  // "tokenize", or "http" when not even that is known
  std::int32_t item = kNoItem;
};
// Refusals of strangers, aggregated by the gate per source and reason over 10 s. No caller.
struct Flood {
  std::string source;
  std::string reason;  // "tls_handshake", "timeout_header", …: a literal of the gate
  std::uint64_t count = 0;
};

using Request =
    std::variant<Tokenize, Detokenize, CardsSearch, TokenGet, TokenDelete, TokenFreeze, Whoami,
                 MetricsRead, ReadyCheck, Refused, Flood, OtpSeal, OtpVerify, OtpCancel,
                 SecretEnroll, SecretVerify, SecretChange, SecretRemove, JwksRead, AuditRead>;

// "tokenize", "detokenize", "cards.search", "token.get", "token.delete", "token.freeze",
// "token.unfreeze", "whoami", "metrics", "otp.seal", "secret.enroll", …: the names in the log, the
// metrics and the quotas.
[[nodiscard]] std::string_view operation_name(const Request& request) noexcept;

// ---- answers ----

struct Failure {
  base::Code code = base::Code::kInternal;
  std::uint32_t retry_after_s = 0;  // 0: no Retry-After
  std::int32_t attempts_left = -1;  // of a wrong code or secret; -1: does not apply
  std::int32_t item = kNoItem;      // of a batch that is refused as a whole: the first to blame
};

enum class CardStatus : std::uint8_t { kActive = 0, kFrozen = 1, kExpired = 2 };

// A card as its holder's bank may see it: masked.
struct CardView {
  std::string token;
  std::string masked;  // "411111******1111", as much BIN as the configuration keeps
  std::string last4;
  std::string brand;
  std::string country;
  std::string currency;
  std::string expiry;  // "" when none
  std::int64_t created_ms = 0;
  std::int64_t expires_ms = 0;  // end of the TTL; 0: never
  CardStatus status = CardStatus::kActive;
  bool duplicate = false;
  Metadata metadata;
};

struct Revealed {
  base::SecretText pan;
  std::string expiry;
};
struct Masked {
  std::string masked;
  std::string expiry;
};

struct SealedCard {
  std::string sealed;  // JWE compact
};

using TokenizeOutcome = std::variant<CardView, Failure>;
using DetokenizeOutcome = std::variant<Revealed, Masked, Failure, SealedCard>;

struct TokenizeAnswer {
  std::vector<TokenizeOutcome> items;
  bool batch = false;
};
struct DetokenizeAnswer {
  std::vector<DetokenizeOutcome> items;
  bool batch = false;
};
struct SearchAnswer {
  std::vector<CardView> cards;
  std::string next;
};
struct Done {};
struct Quota {
  std::string name;
  std::uint64_t limit = 0;
  std::uint64_t left = 0;
  std::int64_t resets_ms = 0;
};
struct WhoamiAnswer {
  std::string client;
  std::vector<std::string> permissions;  // after the gate's ceiling
  std::vector<std::string> purposes;
  std::vector<Quota> quotas;
};
struct ReadyAnswer {
  bool ready = false;
  std::string state;               // "ready", "sealed", "hsm_unavailable", "store_failed", …
  std::vector<std::string> notes;  // "software token: not a secure cryptographic device"
};
struct MetricsAnswer {
  std::string text;
};  // Prometheus text format 0.0.4
struct OtpSealedAnswer {
  std::string id;         // 32 hex digits
  std::string sealed;     // JWE compact; "" when asked for in the clear
  base::SecretText code;  // only then
  std::int64_t expires_ms = 0;
  std::uint32_t resend_after_s = 0;
};
struct VerifiedAnswer {
  std::string receipt;  // JWS compact
};
struct JwksAnswer {
  std::string json;  // a JWK set
};
struct AuditPiece {
  std::uint64_t size = 0;  // of the whole file
  std::string bytes;       // at most kMaxAuditPiece; more follow where they end before the file
};
inline constexpr std::size_t kMaxAuditPiece = std::size_t{256} << 10;

using Answer = std::variant<Failure, TokenizeAnswer, DetokenizeAnswer, SearchAnswer, CardView, Done,
                            WhoamiAnswer, MetricsAnswer, ReadyAnswer, OtpSealedAnswer,
                            VerifiedAnswer, JwksAnswer, AuditPiece>;

}  // namespace cardvault::core
