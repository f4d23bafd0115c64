#include "provisioning/auditor/report_tally.h"

#include <algorithm>
#include <charconv>

namespace cardvault::auditor {
namespace {

constexpr std::int64_t kSecondMs = 1000;
constexpr std::int64_t kMinuteMs = 60 * kSecondMs;
constexpr std::int64_t kHourMs = 60 * kMinuteMs;
constexpr std::int64_t kDayMs = 24 * kHourMs;
constexpr std::string_view kClient = "client:";

std::int64_t bucket_for(std::int64_t period_ms) {
  for (const std::int64_t width : {kSecondMs, 10 * kSecondMs, kMinuteMs, 10 * kMinuteMs, kHourMs,
                                   6 * kHourMs, kDayMs, 7 * kDayMs, 30 * kDayMs, 90 * kDayMs}) {
    if (period_ms / width < static_cast<std::int64_t>(ReportTally::kMostBuckets) - 1) return width;
  }
  return 365 * kDayMs;
}

std::string detail(const core::Event& event, std::string_view name) {
  const auto found = std::ranges::find(event.details, name,
                                       [](const auto& one) { return std::string_view(one.first); });
  return found == event.details.end() ? "" : found->second;
}

Kind kind_of(const core::Event& event) {
  if (event.outcome != "ok") return Kind::kRefused;
  if (event.operation == "tokenize") {
    return detail(event, "duplicate") == "true" ? Kind::kRepeated : Kind::kStored;
  }
  if (event.operation == "detokenize") return Kind::kRevealed;
  if (event.operation.starts_with("otp.") || event.operation.starts_with("secret")) {
    return Kind::kCodes;
  }
  return Kind::kOther;
}

// A flood is one event with a count.
std::uint64_t times_of(const core::Event& event) {
  const std::string text = detail(event, "count");
  std::uint64_t times = 1;
  std::from_chars(text.data(), text.data() + text.size(), times);
  return event.operation == "refused" ? std::max<std::uint64_t>(times, 1) : 1;
}

void keep(Acts& acts, std::uint64_t record, const core::Event& event) {
  if (acts.rows.size() == Acts::kMost) {
    ++acts.left_out;
    return;
  }
  acts.rows.push_back(
      {event.time_ms, record, event.actor, event.operation, event.outcome, event.resource});
}

// A new one only as long as there is room.
template <class Life>
Life* life_of(std::map<std::string, Life>& lives, const std::string& name) {
  const auto found = lives.find(name);
  if (found != lives.end()) return &found->second;
  return lives.size() == ReportTally::kMostLives || name.empty() ? nullptr : &lives[name];
}

}  // namespace

void Count::add(std::int64_t time_ms, std::uint64_t times_more) {
  if (times == 0) first_ms = time_ms;
  last_ms = time_ms;
  times += times_more;
}

void NamedCounts::add(const std::string& name, std::int64_t time_ms, std::uint64_t times) {
  total_ += times;
  const auto found = counts_.find(name);
  if (found == counts_.end() && counts_.size() == kMost) {
    left_out_ += times;
  } else {
    counts_[name].add(time_ms, times);
  }
}

void Peak::add(std::int64_t in_window) {
  if (in_window != window) now = 0;
  window = in_window;
  most = std::max(most, ++now);
}

ReportTally::ReportTally(std::int64_t from_ms, std::int64_t to_ms)
    : from_ms_(from_ms), to_ms_(to_ms), bucket_ms_(bucket_for(to_ms - from_ms)) {
  buckets.resize(static_cast<std::size_t>((to_ms - from_ms + bucket_ms_ - 1) / bucket_ms_));
}

std::uint64_t ReportTally::total(Kind kind) const noexcept {
  std::uint64_t sum = 0;
  for (const auto& bucket : buckets) sum += bucket[static_cast<std::size_t>(kind)];
  return sum;
}

bool ReportTally::about_lives(std::string_view line) {
  for (const std::string_view mark :
       {"\"op\":\"key.", "\"op\":\"client.", "\"client_frozen\"", "\"op\":\"hsm.serves\""}) {
    if (line.find(mark) != std::string_view::npos) return true;
  }
  return false;
}

void ReportTally::add(std::uint64_t record, const core::Event& event) {
  if (event.time_ms >= to_ms_) return;
  live(event);
  if (event.time_ms >= from_ms_) count(record, event);
}

void ReportTally::live(const core::Event& event) {
  const std::string& op = event.operation;
  if (op == "alarm" && event.outcome == "client_frozen" && event.actor.starts_with(kClient)) {
    if (auto* client = life_of(clients, event.actor.substr(kClient.size()))) {
      client->state = "frozen";
    }
  }
  if (event.outcome != "ok") return;
  if (op == "hsm.serves") {
    if (auto* hsm = life_of(hsms, detail(event, "serial"))) {
      *hsm = {detail(event, "manufacturer"),
              detail(event, "model"),
              detail(event, "firmware"),
              detail(event, "device"),
              hsm->first_ms == 0 ? event.time_ms : hsm->first_ms,
              event.time_ms};
    }
  }
  if (op == "key.replace") {
    if (auto* lost = life_of(keys, detail(event, "lost"))) {
      lost->state = "destroyed";
      lost->ended_ms = event.time_ms;
    }
  }
  if (op == "key.make" || op == "key.activate" || op == "key.replace") {
    auto* key = life_of(keys, event.resource);
    if (key == nullptr) return;
    key->kind = detail(event, "kind");
    key->kcv = detail(event, "kcv");
    key->state = "active";
    if (key->made_ms == 0) key->made_ms = event.time_ms;
    const auto previous = keys.find(detail(event, "previous"));
    if (previous != keys.end()) previous->second.state = "decrypt only";
  } else if (op == "key.retire" || op == "key.destroyed") {
    auto* key = life_of(keys, event.resource);
    if (key == nullptr) return;
    key->state = op == "key.retire" ? "retired" : "destroyed";
    key->ended_ms = event.time_ms;
  } else if (op.starts_with("client.") && op != "client.list") {
    auto* client = life_of(clients, event.resource);
    if (client == nullptr) return;
    if (op == "client.add") {
      *client = {detail(event, "permissions"), detail(event, "purposes"), "active", event.time_ms};
    }
    if (op == "client.freeze") client->state = "frozen";
    if (op == "client.release") client->state = "active";
    if (op == "client.revoke") client->state = "revoked";
  }
}

void ReportTally::count(std::uint64_t record, const core::Event& event) {
  ++events;
  const std::uint64_t times = times_of(event);
  const bool alarm = event.operation == "alarm";
  const auto bucket = static_cast<std::size_t>((event.time_ms - from_ms_) / bucket_ms_);
  const Kind kind = alarm ? Kind::kOther : kind_of(event);
  buckets[bucket][static_cast<std::size_t>(kind)] += times;
  if (alarm) {
    alarms.add(event.outcome, event.time_ms);
  } else if (kind == Kind::kRefused) {
    refused.add(event.operation, event.time_ms, times);
    reasons.add(event.outcome, event.time_ms, times);
    // Of the wrong try that set it; what was refused while it held is not another lock.
    if (const std::string lock = detail(event, "lock"); !lock.empty()) {
      lockouts.add(event.operation + " lock=" + lock, event.time_ms);
    }
  } else {
    done.add(event.operation, event.time_ms, times);
  }
  if (event.operation == "detokenize") count_reveal(event);
  if (event.actor.starts_with("operator:")) {
    operators.add(event.actor + " " + event.operation, event.time_ms);
  }
  if (event.operation.starts_with("audit.")) {
    readers.add(event.actor + " " + event.operation, event.time_ms);
  }
  if (event.operation.starts_with("ceremony.") || event.actor.starts_with("custodian:") ||
      event.operation.starts_with("custod") || event.operation.starts_with("approval.") ||
      !detail(event, "approved_by").empty()) {
    keep(custodian_acts, record, event);
  }
  if (event.operation.starts_with("key.") && event.operation != "key.list" &&
      event.operation != "key.lost" && event.operation != "key.statement") {
    keep(key_acts, record, event);
  }
  if (event.operation.starts_with("client.") && event.operation != "client.list") {
    keep(client_acts, record, event);
  }
}

void ReportTally::count_reveal(const core::Event& event) {
  if (!event.actor.starts_with(kClient)) return;
  const bool over = event.outcome == "reveal_budget_exhausted";
  if (event.outcome != "ok" && !over) return;
  ClientReveals* client = life_of(reveals, event.actor.substr(kClient.size()));
  if (client == nullptr) {
    ++reveals_left_out;
    return;
  }
  if (over) {
    ++client->over_budget;
    return;
  }
  ++(detail(event, "recipient").empty() ? client->clear : client->sealed);
  client->hour.add(event.time_ms / kHourMs);
  client->day.add(event.time_ms / kDayMs);
}

}  // namespace cardvault::auditor
