// Which operation a method and a path mean.
#pragma once

#include <cstdint>
#include <string_view>

#include "vault/base/result.h"

namespace cardvault::gate {

enum class Operation : std::uint8_t {
  kUnknown,
  kTokenize,
  kDetokenize,
  kCardsSearch,
  kTokenGet,
  kTokenDelete,
  kTokenFreeze,
  kTokenUnfreeze,
  kOtpSeal,
  kOtpVerify,
  kOtpCancel,
  kSecretEnroll,
  kSecretVerify,
  kSecretChange,
  kSecretRemove,
  kWhoami,
  kJwks,
  kMetrics,
  kHealth,
  kReady,
  kAuditRead,
};
inline constexpr std::size_t kOperations = 21;

// The name in the log and the metrics: "token.get"; "http" for kUnknown.
[[nodiscard]] std::string_view operation_label(Operation operation) noexcept;

// Where a request came in.
enum class Listener : std::uint8_t { kTls, kHealth };

struct Route {
  Operation operation = Operation::kUnknown;
  std::string_view token;  // of /v1/tokens/T: a view of the target
  std::string_view file;   // of /v1/audit/FILE, likewise
  std::string_view allow;  // methods of this path, for the Allow field
  bool takes_body = false;
};

// kPathNotFound; kMethodNotAllowed, with `allow` set in `route`, which is written in any case.
[[nodiscard]] base::Result<void> find_route(Listener listener, std::string_view method,
                                            std::string_view target, Route& route) noexcept;

}  // namespace cardvault::gate
