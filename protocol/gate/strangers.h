// What strangers cause: failed handshakes and refused connections. They could fill any log, so they
// are counted, and told to the vault per source and reason every 10 s.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vault/core/request.h"

namespace cardvault::gate {

enum class StrangerReason : std::uint8_t {
  kTlsHandshake,
  kTlsVersion,
  kTlsNoCertificate,
  kTlsUntrusted,
  kTlsExpired,
  kTlsRevoked,
  kHandshakeTimeout,
  kConnectionLimit,
  kSourceLimit,
};
inline constexpr std::size_t kStrangerReasons = 9;

// "tls_handshake": a literal, as in the log and the metrics.
[[nodiscard]] const char* stranger_reason_name(StrangerReason reason) noexcept;

// Thread-safe. Bounded: beyond kMaxEntries sources and reasons, the source is "*".
class Strangers {
 public:
  static constexpr std::size_t kMaxEntries = 1000;

  void count(std::string_view source, StrangerReason reason);
  // What was counted since the last call.
  [[nodiscard]] std::vector<core::Flood> take();

 private:
  std::mutex mutex_;
  std::map<std::pair<std::string, StrangerReason>, std::uint64_t> counts_;
};

}  // namespace cardvault::gate
