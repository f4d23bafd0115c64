#include "protocol/gate/pending.h"

#include <limits>
#include <utility>

namespace cardvault::gate {

Pending::Pending() : slots_(kMax) {
  free_.reserve(kMax);
  for (std::size_t i = kMax; i > 0; --i) free_.push_back(static_cast<std::uint16_t>(i - 1));
}

std::optional<std::uint64_t> Pending::add(Done& done, std::uint32_t deadline) {
  if (free_.empty()) return std::nullopt;
  const std::size_t at = free_.back();
  free_.pop_back();
  Slot& slot = slots_[at];
  slot.id = ++round_ * kMax + at;  // never used twice
  slot.deadline = deadline;
  slot.done = std::move(done);
  return slot.id;
}

Pending::Done Pending::take(std::uint64_t id) {
  const auto at = static_cast<std::size_t>(id % kMax);
  if (id == 0 || slots_[at].id != id) return {};
  return release(at);
}

std::vector<Pending::Done> Pending::expired(std::uint32_t now) {
  std::vector<Done> late;
  for (std::size_t at = 0; at < kMax; ++at) {
    if (slots_[at].id != 0 && slots_[at].deadline <= now) late.push_back(release(at));
  }
  return late;
}

std::vector<Pending::Done> Pending::all() {
  return expired(std::numeric_limits<std::uint32_t>::max());
}

Pending::Done Pending::release(std::size_t at) {
  slots_[at].id = 0;
  free_.push_back(static_cast<std::uint16_t>(at));
  return std::exchange(slots_[at].done, {});
}

}  // namespace cardvault::gate
