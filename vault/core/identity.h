// Who asks: certificates, clients, permissions, and the ceiling of a gate.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "vault/base/result.h"

namespace cardvault::core {

enum class Permission : std::uint32_t {
  kTokenize = 1U << 0,           // tokenize
  kTokenizeAnonymous = 1U << 1,  // tokenize.anonymous: without a customer, never de-duplicated
  kCardsRead = 1U << 2,          // cards.read: search, masked views
  kCardsManage = 1U << 3,        // cards.manage: delete, freeze, unfreeze
  kDetokenize = 1U << 4,         // detokenize: the clear PAN
  kDetokenizeSealed = 1U << 5,   // detokenize.sealed
  kOtpSeal = 1U << 6,            // otp.seal
  kOtpVerify = 1U << 7,          // otp.verify
  kOtpClear = 1U << 8,           // otp.clear
  kAuditRead = 1U << 9,          // audit.read
  kMetricsRead = 1U << 10,       // metrics.read
  kSecretsManage = 1U << 11,     // secrets.manage: enroll, change, remove
  kSecretsVerify = 1U << 12,     // secrets.verify
};

// A set of permissions.
struct Permissions {
  std::uint32_t bits = 0;

  [[nodiscard]] bool has(Permission p) const noexcept {
    return (bits & static_cast<std::uint32_t>(p)) != 0;
  }
  // From names as above; kInvalidArgument on an unknown one.
  [[nodiscard]] static base::Result<Permissions> parse(const std::vector<std::string>& names);
  [[nodiscard]] std::vector<std::string> names() const;
  friend Permissions operator&(Permissions a, Permissions b) noexcept { return {a.bits & b.bits}; }
  friend bool operator==(Permissions, Permissions) = default;
};

// What a gate verified about the other end of a connection. Claims, not facts: a taken gate can
// write anything here, which is why there are ceilings.
struct Caller {
  std::array<std::uint8_t, 32> spki_sha256{};  // of the certificate's SubjectPublicKeyInfo
  std::vector<std::string> sans;               // "dns:web.bank.example", "uri:spiffe://…"
  std::string source;                          // address of the peer, "192.0.2.7"
  std::string serial;                          // certificate serial, hex, for the log
};

// A registered client, as the store keeps it.
struct Client {
  std::string id;           // [a-z0-9][a-z0-9._-]{0,62}
  std::string spki_sha256;  // lower-case hex; or empty
  std::string san;          // as in Caller::sans; or empty. One of the two is set.
  Permissions permissions;
  std::vector<std::string> purposes;   // of detokenize; "*" allows any
  std::uint32_t rate_per_s = 0;        // requests (items of a batch count); 0: the default
  std::uint32_t reveals_per_hour = 0;  // 0: the default
  std::uint32_t reveals_per_day = 0;   // 0: the default
  bool revoked = false;
  bool frozen = false;
  std::int64_t created_ms = 0;
};

// 1 to 63 of a-z, 0-9, '.', '_', '-', the first a letter or digit, and no card number in it.
// Purposes of reveals have the same form.
[[nodiscard]] bool valid_client_id(std::string_view id) noexcept;

// The most that a gate may ever assert, whatever it says.
struct Ceiling {
  std::string gate;                  // "web"
  std::vector<std::string> clients;  // ids, "*" for any
  Permissions permissions;
};

}  // namespace cardvault::core
