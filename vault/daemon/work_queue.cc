#include "vault/daemon/work_queue.h"

#include <algorithm>

namespace cardvault::daemon {

// A gate that had nothing to do has saved up nothing: its turn is now.
WorkQueue::Lane& WorkQueue::lane_of(std::string_view gate) {
  auto lane = std::ranges::find(lanes_, gate, &Lane::gate);
  if (lane == lanes_.end()) {
    lanes_.push_back({std::string(gate), {}, 0, 0});
    lane = std::prev(lanes_.end());
  }
  if (lane->waiting.empty()) lane->turn = std::max(lane->turn, now_);
  return *lane;
}

bool WorkQueue::push(const Charge& charge, std::unique_ptr<core::Operation>& operation) {
  {
    const std::scoped_lock lock(mutex_);
    if (closed_) return false;
    Lane& lane = lane_of(charge.gate);
    if (lane.waiting.size() >= bound_ || lane.calls >= bound_ * kCallsPerPlace) return false;
    lane.waiting.push_back({std::move(operation), charge.calls});
    lane.calls += charge.calls;
    ++waiting_;
  }
  ready_.notify_one();
  return true;
}

bool WorkQueue::push_again(const Charge& charge, std::unique_ptr<core::Operation>& operation) {
  {
    const std::scoped_lock lock(mutex_);
    if (closed_) return false;
    Lane& lane = lane_of(charge.gate);
    lane.waiting.push_front({std::move(operation), charge.calls});
    lane.calls += charge.calls;
    ++waiting_;
  }
  ready_.notify_one();
  return true;
}

std::map<std::string, std::size_t> WorkQueue::waiting() const {
  std::map<std::string, std::size_t> out;
  const std::scoped_lock lock(mutex_);
  for (const Lane& lane : lanes_) out[lane.gate] = lane.waiting.size();
  return out;
}

WorkQueue::Lane* WorkQueue::next_lane() {
  Lane* next = nullptr;
  for (Lane& lane : lanes_) {
    if (!lane.waiting.empty() && (next == nullptr || lane.turn < next->turn)) next = &lane;
  }
  return next;
}

std::unique_ptr<core::Operation> WorkQueue::pop(Lane& lane, std::uint64_t& calls) {
  Waiting first = std::move(lane.waiting.front());
  lane.waiting.pop_front();
  lane.calls -= first.calls;
  now_ = lane.turn;
  lane.turn += first.calls;
  calls += first.calls;
  --waiting_;
  return std::move(first.operation);
}

WorkQueue::Operations WorkQueue::take(std::size_t most) {
  Operations out;
  std::unique_lock lock(mutex_);
  ready_.wait(lock, [&] { return closed_ || waiting_ != 0; });
  std::uint64_t calls = 0;
  while (waiting_ != 0 && out.size() < most && calls < kCallsPerTake) {
    out.push_back(pop(*next_lane(), calls));
  }
  if (closed_ && waiting_ == 0) empty_.notify_all();
  return out;
}

void WorkQueue::close() {
  {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
  }
  ready_.notify_all();
}

WorkQueue::Operations WorkQueue::leave(std::chrono::steady_clock::time_point deadline) {
  Operations out;
  std::unique_lock lock(mutex_);
  empty_.wait_until(lock, deadline, [&] { return waiting_ == 0; });
  std::uint64_t calls = 0;
  while (Lane* lane = next_lane()) out.push_back(pop(*lane, calls));
  return out;
}

}  // namespace cardvault::daemon
