#include "vault/daemon/overdue_events.h"

#include "vault/audit/event_codec.h"

namespace cardvault::daemon {
namespace {

// What publishing may be late by, and a busy machine on top of that.
constexpr std::int64_t kLateness_ms = 5'000;

bool explains(const core::Event& event) {
  return event.operation == "alarm" &&
         (event.outcome.starts_with("log_") || event.outcome.starts_with("hsm_"));
}

}  // namespace

bool are_overdue(std::span<const store::LogLine> waiting) {
  std::int64_t oldest_ms = 0, newest_ms = 0;
  bool overdue = false;
  for (const store::LogLine& line : waiting) {
    const auto event = audit::parse_event(line.json, nullptr);
    if (!event) continue;
    if (explains(*event)) return false;
    // `stop` is the vault's last act before it publishes the rest.
    overdue = overdue || event->operation == "stop";
    // The tool acts on a stopped vault too, at any time: only clients' requests say when it ran.
    if (event->gate.empty() || event->gate == "admin") continue;
    if (oldest_ms == 0) oldest_ms = event->time_ms;
    newest_ms = event->time_ms;
  }
  return overdue || newest_ms - oldest_ms > kLateness_ms;
}

}  // namespace cardvault::daemon
