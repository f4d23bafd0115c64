#include "vault/daemon/flood.h"

namespace cardvault::daemon {

void FloodCounter::add(std::string_view actor, std::string_view source, std::string_view reason,
                       std::uint64_t count) {
  const std::scoped_lock lock(mutex_);
  Counts& counts = counts_[std::string(actor)];
  Key key{std::string(source), std::string(reason)};
  if (sum_strangers_ && !actor.starts_with("client:")) key.source = "*";
  if (counts.size() >= kMaxSources && !counts.contains(key)) key.source = "*";
  counts[std::move(key)] += count;
}

std::vector<core::Event> FloodCounter::take(std::int64_t now_ms) {
  const std::scoped_lock lock(mutex_);
  std::vector<core::Event> events;
  for (const auto& [actor, counts] : counts_) {
    for (const auto& [key, count] : counts) {
      core::Event event;
      event.time_ms = now_ms;
      event.actor = actor;
      event.operation = "refused";
      event.outcome = key.reason;
      event.source = key.source;
      event.details.emplace_back("count", std::to_string(count));
      events.push_back(std::move(event));
    }
  }
  counts_.clear();
  return events;
}

}  // namespace cardvault::daemon
