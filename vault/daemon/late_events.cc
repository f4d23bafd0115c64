#include "vault/daemon/late_events.h"

#include <algorithm>
#include <string>
#include <utility>

namespace cardvault::daemon {
namespace {

constexpr const char* kLate = "late_ms";

// One that is kept again is as late as it was, and more.
std::int64_t take_lateness(core::Event& event) {
  if (event.details.empty() || event.details.back().first != kLate) return 0;
  const std::int64_t late_ms = std::stoll(event.details.back().second);
  event.details.pop_back();
  return late_ms;
}

}  // namespace

void LateEvents::keep(std::vector<core::Event> events) {
  const std::scoped_lock lock(mutex_);
  for (core::Event& event : events) {
    if (kept_.events.size() == kMaxKept) {
      ++kept_.lost;
      continue;
    }
    event.time_ms -= take_lateness(event);
    kept_.events.push_back(std::move(event));
  }
}

LateEvents::Taken LateEvents::take(std::int64_t now_ms) {
  Taken taken;
  {
    const std::scoped_lock lock(mutex_);
    taken = std::exchange(kept_, {});
  }
  std::ranges::stable_sort(taken.events, {}, &core::Event::time_ms);
  for (core::Event& event : taken.events) {
    event.details.emplace_back(kLate, std::to_string(now_ms - event.time_ms));
    event.time_ms = now_ms;
  }
  return taken;
}

}  // namespace cardvault::daemon
