#include "hsm/session_pool.h"

#include <algorithm>
#include <ctime>

#include "vault/base/check.h"

namespace cardvault::hsm {
namespace {

std::int64_t now_ns() {
  // Coarse (about 4 ms) is enough for a deadline in seconds and five times cheaper per call.
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

SessionPool::Lease SessionPool::acquire() {
  std::unique_lock lock(mutex_);
  while (phase_ == Phase::kPaused || (phase_ == Phase::kOpen && free_.empty())) {
    ++waiting_;
    free_or_shut_.wait(lock);
    --waiting_;
  }
  if (phase_ == Phase::kShut) return {};
  Slot* slot = free_.back();
  free_.pop_back();
  ++in_use_;
  slot->since_ns.store(now_ns(), std::memory_order_relaxed);
  return {this, slot};
}

void SessionPool::give_back(Slot* slot) noexcept {
  const std::lock_guard lock(mutex_);
  slot->since_ns.store(0, std::memory_order_relaxed);
  free_.push_back(slot);
  if (--in_use_ == 0 && phase_ != Phase::kOpen) drained_.notify_all();
  if (waiting_ > 0) free_or_shut_.notify_one();
}

void SessionPool::open(const std::vector<Channel>& channels) {
  const std::lock_guard lock(mutex_);
  CARDVAULT_CHECK(in_use_ == 0 && phase_ != Phase::kOpen);
  slots_.clear();
  free_.clear();
  for (const Channel& channel : channels) {
    slots_.push_back(std::make_unique<Slot>());
    slots_.back()->channel = channel;
    free_.push_back(slots_.back().get());
  }
  phase_ = Phase::kOpen;
  free_or_shut_.notify_all();
}

void SessionPool::shut() {
  const std::lock_guard lock(mutex_);
  phase_ = Phase::kShut;
  free_or_shut_.notify_all();
}

void SessionPool::pause() {
  const std::lock_guard lock(mutex_);
  phase_ = Phase::kPaused;
}

void SessionPool::drain() {
  std::unique_lock lock(mutex_);
  CARDVAULT_CHECK(phase_ != Phase::kOpen);
  drained_.wait(lock, [&] { return in_use_ == 0; });
}

std::optional<std::chrono::milliseconds> SessionPool::oldest_call_age() const {
  const std::lock_guard lock(mutex_);
  std::int64_t oldest = 0;
  for (const auto& slot : slots_) {
    const std::int64_t since = slot->since_ns.load(std::memory_order_relaxed);
    if (since != 0 && (oldest == 0 || since < oldest)) oldest = since;
  }
  if (oldest == 0) return std::nullopt;
  return std::chrono::milliseconds((now_ns() - oldest) / 1'000'000);
}

unsigned SessionPool::older_than(std::chrono::milliseconds age) const {
  const std::lock_guard lock(mutex_);
  const std::int64_t before = now_ns() - std::chrono::nanoseconds(age).count();
  return static_cast<unsigned>(std::ranges::count_if(slots_, [&](const auto& slot) {
    const std::int64_t since = slot->since_ns.load(std::memory_order_relaxed);
    return since != 0 && since < before;
  }));
}

}  // namespace cardvault::hsm
