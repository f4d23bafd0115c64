#include "vault/core/pan_budget.h"

#include <algorithm>

namespace cardvault::core {

namespace {
constexpr std::int64_t kDayMs = 86'400'000;
}

std::uint32_t day_of(std::int64_t now_ms) noexcept {
  return static_cast<std::uint32_t>(now_ms / kDayMs);
}

void roll_pan_windows(CustomerRow& customer, std::uint32_t today) noexcept {
  if (customer.day != today) {
    customer.day = today;
    customer.day_used = 0;
  }
  if (customer.month_used == 0 || today >= customer.month_start + kPanBudgetMonthDays) {
    customer.month_start = today;
    customer.month_used = 0;
  }
}

void charge_pan(CustomerRow& customer) noexcept {
  ++customer.day_used;
  ++customer.month_used;
}

std::uint32_t pan_budget_wait_s(const CustomerRow& customer, const Settings& settings,
                                std::int64_t now_ms) noexcept {
  std::int64_t until = 0;
  if (settings.pan_budget_day != 0 && customer.day_used >= settings.pan_budget_day) {
    until = (std::int64_t{customer.day} + 1) * kDayMs;
  }
  if (settings.pan_budget_month != 0 && customer.month_used >= settings.pan_budget_month) {
    until = std::max(until, (std::int64_t{customer.month_start} + kPanBudgetMonthDays) * kDayMs);
  }
  return until == 0 ? 0 : static_cast<std::uint32_t>((until - now_ms) / 1000 + 1);
}

}  // namespace cardvault::core
