#include "vault/core/miss_guard.h"

namespace cardvault::core {

namespace {
constexpr std::int64_t kMinuteMs = 60'000;
}

std::uint32_t MissGuard::wait_s(std::string_view client, std::uint32_t limit, std::int64_t now_ms) {
  if (limit == 0) return 0;
  const std::scoped_lock lock(mutex_);
  const auto at = clients_.find(std::string(client));
  if (at == clients_.end() || at->second.index != now_ms / kMinuteMs) return 0;
  if (at->second.misses < limit) return 0;
  return static_cast<std::uint32_t>((kMinuteMs - now_ms % kMinuteMs) / 1000 + 1);
}

void MissGuard::missed(std::string_view client, std::int64_t now_ms) {
  const std::scoped_lock lock(mutex_);
  Minute& minute = clients_[std::string(client)];
  if (minute.index != now_ms / kMinuteMs) minute = {now_ms / kMinuteMs, 0};
  ++minute.misses;
}

}  // namespace cardvault::core
