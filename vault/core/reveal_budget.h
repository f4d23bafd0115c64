// How many clear PANs a client may see and how often a card may be shown (DESIGN sections 5 and 6).
#pragma once

#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "vault/base/result.h"
#include "vault/core/token.h"

namespace cardvault::core {

struct RevealLimits {
  std::uint32_t client_per_hour = 0;  // 0: no limit
  std::uint32_t client_per_day = 0;
  std::uint32_t card_per_day = 0;
};

// What a charge means for the client, beyond yes or no. Of two windows the more serious one counts;
// the card's limit raises no alarm.
enum class RevealVerdict : std::uint8_t {
  kOk,
  kAlarm80,    // allowed, and it crossed 80 % of a limit: raise an alarm event once
  kAlarm100,   // allowed, and it was the last one of a window
  kExhausted,  // refused until the window ends
  kFreeze,     // refused, for the third limit's worth of attempts in the window: freeze the client
};

struct RevealCharge {
  RevealVerdict verdict = RevealVerdict::kOk;
  std::uint32_t retry_after_s = 0;  // until the exhausted window ends
};

// Counters in memory: a function of the log's reveal events, snapshotted with the sequence number
// up to which they count and rebuilt at start from the events after it. Windows are fixed: hours
// and days of UTC. Refused attempts count towards the client's attempts but not towards its
// reveals. Thread-safe.
class RevealBudget {
 public:
  // Counts one reveal by client of card, or refuses it.
  [[nodiscard]] RevealCharge charge(std::string_view client, const TokenId& card,
                                    const RevealLimits& limits, std::int64_t now_ms);
  // Counts what an event of the log says, without judging: used at start.
  void replay(std::string_view client, const TokenId& card, bool allowed, std::int64_t time_ms);
  // Reveals left for a client in this hour and day; UINT32_MAX where there is no limit.
  struct Left {
    std::uint32_t hour = 0, day = 0;
  };
  [[nodiscard]] Left left(std::string_view client, const RevealLimits& limits,
                          std::int64_t now_ms) const;
  // An operator releases a client: its windows start again.
  void reset(std::string_view client);

  // A snapshot and back, in place of what was counted. kInvalidArgument on bytes that no
  // serialize() made; then nothing changes. Counters of windows that ended before now_ms are left
  // out.
  [[nodiscard]] std::vector<std::uint8_t> serialize(std::int64_t now_ms) const;
  [[nodiscard]] base::Result<void> restore(std::span<const std::uint8_t> bytes);

 private:
  struct Window {
    std::uint32_t index = 0, allowed = 0, attempts = 0;  // index: hours or days since 1970
    void enter(std::uint32_t now_index) noexcept;
  };
  struct ClientWindows {
    Window hour, day;
  };
  struct CardDay {
    std::uint32_t day = 0, count = 0;
  };
  struct TokenHash {
    std::size_t operator()(const TokenId& id) const noexcept;
  };
  [[nodiscard]] ClientWindows& client_locked(std::string_view client, std::int64_t time_ms);
  [[nodiscard]] CardDay& card_locked(const TokenId& card, std::uint32_t day);
  void sweep_locked(std::uint32_t day);

  mutable std::mutex mutex_;
  std::unordered_map<std::string, ClientWindows> clients_;
  std::unordered_map<TokenId, CardDay, TokenHash> cards_;  // of today only
  std::uint32_t swept_day_ = 0;
};

}  // namespace cardvault::core
