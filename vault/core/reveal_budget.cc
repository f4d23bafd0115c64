#include "vault/core/reveal_budget.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "vault/core/byte_form.h"
#include "vault/core/spent_budgets.h"

namespace cardvault::core {
namespace {

constexpr std::int64_t kHourMs = 3600LL * 1000;
constexpr std::int64_t kDayMs = 24 * kHourMs;
constexpr std::uint64_t kFreezeFactor = 3;
constexpr std::uint32_t kMagic = 0x43565242;  // "CVRB"
constexpr std::uint8_t kVersion = 1;
// In a snapshot after a restore: above every limit, and it can be counted on.
constexpr std::uint32_t kAllSpent = 1U << 31;

std::uint32_t hour_of(std::int64_t time_ms) {
  return static_cast<std::uint32_t>(time_ms / kHourMs);
}
std::uint32_t day_of(std::int64_t time_ms) { return static_cast<std::uint32_t>(time_ms / kDayMs); }

std::uint32_t seconds_left(std::int64_t now_ms, std::int64_t window_ms) {
  return static_cast<std::uint32_t>((window_ms - now_ms % window_ms + 999) / 1000);
}

bool used_up(std::uint32_t used, std::uint32_t limit) { return limit != 0 && used >= limit; }

bool to_be_frozen(std::uint32_t attempts, std::uint32_t limit) {
  return limit != 0 && attempts >= kFreezeFactor * limit;
}

// By equality, so that each alarm is raised once a window, also after a restart.
RevealVerdict alarm_for(std::uint32_t allowed, std::uint32_t limit) {
  if (limit == 0) return RevealVerdict::kOk;
  if (allowed == limit) return RevealVerdict::kAlarm100;
  const std::uint64_t at_80 = (std::uint64_t{limit} * 4 + 4) / 5;
  return allowed == at_80 ? RevealVerdict::kAlarm80 : RevealVerdict::kOk;
}

std::uint32_t rest(std::uint32_t allowed, std::uint32_t limit) {
  if (limit == 0) return std::numeric_limits<std::uint32_t>::max();
  return limit - std::min(allowed, limit);
}

}  // namespace

std::size_t RevealBudget::TokenHash::operator()(const TokenId& id) const noexcept {
  std::size_t random;  // the last half of an id is random (ULID)
  std::memcpy(&random, id.bytes.data() + id.bytes.size() - sizeof random, sizeof random);
  return random;
}

void RevealBudget::Window::enter(std::uint32_t now_index) noexcept {
  if (now_index > index) *this = {now_index, 0, 0};
}

RevealBudget::ClientWindows& RevealBudget::client_locked(std::string_view client,
                                                         std::int64_t time_ms) {
  ClientWindows& windows = clients_[std::string(client)];
  windows.hour.enter(hour_of(time_ms));
  windows.day.enter(day_of(time_ms));
  return windows;
}

RevealBudget::CardDay& RevealBudget::card_locked(const TokenId& card, std::uint32_t day) {
  CardDay& count = cards_[card];
  if (day > count.day) count = {day, 0};
  return count;
}

void RevealBudget::sweep_locked(std::uint32_t day) {
  if (day <= swept_day_) return;
  swept_day_ = day;
  std::erase_if(clients_, [day](const auto& entry) { return entry.second.day.index < day; });
  std::erase_if(cards_, [day](const auto& entry) { return entry.second.day < day; });
}

RevealCharge RevealBudget::charge(std::string_view client, const TokenId& card,
                                  const RevealLimits& limits, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  sweep_locked(day_of(now_ms));
  ClientWindows& windows = client_locked(client, now_ms);
  ++windows.hour.attempts;
  ++windows.day.attempts;
  const auto counted = cards_.find(card);
  const bool card_used_up =
      counted != cards_.end() && used_up(counted->second.count, limits.card_per_day);
  const bool hour_used_up = used_up(windows.hour.allowed, limits.client_per_hour);
  const bool day_used_up = used_up(windows.day.allowed, limits.client_per_day);
  if (hour_used_up || day_used_up || card_used_up) {
    const bool freeze = to_be_frozen(windows.hour.attempts, limits.client_per_hour) ||
                        to_be_frozen(windows.day.attempts, limits.client_per_day);
    return {freeze ? RevealVerdict::kFreeze : RevealVerdict::kExhausted,
            seconds_left(now_ms, day_used_up || card_used_up ? kDayMs : kHourMs)};
  }
  ++windows.hour.allowed;
  ++windows.day.allowed;
  ++card_locked(card, day_of(now_ms)).count;
  return {std::max(alarm_for(windows.hour.allowed, limits.client_per_hour),
                   alarm_for(windows.day.allowed, limits.client_per_day)),
          0};
}

void RevealBudget::replay(std::string_view client, const TokenId& card, bool allowed,
                          std::int64_t time_ms) {
  const std::lock_guard lock(mutex_);
  sweep_locked(day_of(time_ms));
  ClientWindows& windows = client_locked(client, time_ms);
  // An event of a window that has ended since counts in none.
  for (Window* window : {&windows.hour, &windows.day}) {
    const std::uint32_t index = window == &windows.hour ? hour_of(time_ms) : day_of(time_ms);
    if (window->index != index) continue;
    ++window->attempts;
    if (allowed) ++window->allowed;
  }
  if (allowed && day_of(time_ms) >= swept_day_) ++card_locked(card, day_of(time_ms)).count;
}

RevealBudget::Left RevealBudget::left(std::string_view client, const RevealLimits& limits,
                                      std::int64_t now_ms) const {
  const std::lock_guard lock(mutex_);
  const auto found = clients_.find(std::string(client));
  ClientWindows windows = found == clients_.end() ? ClientWindows{} : found->second;
  windows.hour.enter(hour_of(now_ms));
  windows.day.enter(day_of(now_ms));
  return {rest(windows.hour.allowed, limits.client_per_hour),
          rest(windows.day.allowed, limits.client_per_day)};
}

void RevealBudget::reset(std::string_view client) {
  const std::lock_guard lock(mutex_);
  clients_.erase(std::string(client));
}

std::vector<std::uint8_t> spent_reveal_budgets(std::span<const std::string> clients,
                                               std::int64_t now_ms) {
  ByteWriter out;
  out.number(kMagic);
  out.number(kVersion);
  out.number(static_cast<std::uint32_t>(clients.size()));
  for (const std::string& client : clients) {
    out.text(client);
    for (const std::uint32_t index : {hour_of(now_ms), day_of(now_ms)}) {
      out.number(index);
      out.number(kAllSpent);
      out.number(std::uint32_t{0});
    }
  }
  out.number(std::uint32_t{0});
  return std::move(out).take();
}

bool spent_by_restore(const RevealBudget& budget, std::string_view client, std::int64_t now_ms) {
  const auto left = budget.left(
      client, {.client_per_hour = kAllSpent, .client_per_day = kAllSpent, .card_per_day = 0},
      now_ms);
  return left.hour == 0 || left.day == 0;
}

std::vector<std::uint8_t> RevealBudget::serialize(std::int64_t now_ms) const {
  const std::uint32_t day = day_of(now_ms);
  const std::lock_guard lock(mutex_);
  ByteWriter out;
  out.number(kMagic);
  out.number(kVersion);
  const auto current_client = [day](const auto& entry) { return entry.second.day.index >= day; };
  const auto current_card = [day](const auto& entry) { return entry.second.day >= day; };
  out.number(static_cast<std::uint32_t>(std::ranges::count_if(clients_, current_client)));
  for (const auto& entry : clients_) {
    if (!current_client(entry)) continue;
    out.text(entry.first);
    for (const Window& window : {entry.second.hour, entry.second.day}) {
      out.number(window.index);
      out.number(window.allowed);
      out.number(window.attempts);
    }
  }
  out.number(static_cast<std::uint32_t>(std::ranges::count_if(cards_, current_card)));
  for (const auto& entry : cards_) {
    if (!current_card(entry)) continue;
    out.raw(entry.first.bytes);
    out.number(entry.second.day);
    out.number(entry.second.count);
  }
  return std::move(out).take();
}

base::Result<void> RevealBudget::restore(std::span<const std::uint8_t> bytes) {
  const auto refuse = [] {
    return base::fail(base::Code::kInvalidArgument, "RevealBudget::restore");
  };
  ByteReader in(bytes);
  if (in.number<std::uint32_t>() != kMagic || in.number<std::uint8_t>() != kVersion) {
    return refuse();
  }
  decltype(clients_) clients;
  const auto client_count = in.number<std::uint32_t>();
  for (std::uint32_t i = 0; i < client_count && in.ok(); ++i) {
    ClientWindows& windows = clients[std::string(in.text())];
    for (Window* window : {&windows.hour, &windows.day}) {
      window->index = in.number<std::uint32_t>();
      window->allowed = in.number<std::uint32_t>();
      window->attempts = in.number<std::uint32_t>();
    }
  }
  decltype(cards_) cards;
  const auto card_count = in.number<std::uint32_t>();
  for (std::uint32_t i = 0; i < card_count && in.ok(); ++i) {
    TokenId card;
    std::ranges::copy(in.raw(card.bytes.size()), card.bytes.begin());
    CardDay& day = cards[card];
    day.day = in.number<std::uint32_t>();
    day.count = in.number<std::uint32_t>();
  }
  if (!in.at_end()) return refuse();
  const std::lock_guard lock(mutex_);
  clients_ = std::move(clients);
  cards_ = std::move(cards);
  swept_day_ = 0;
  return {};
}

}  // namespace cardvault::core
