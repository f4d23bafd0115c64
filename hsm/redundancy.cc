#include "hsm/redundancy.h"

namespace cardvault::hsm {
namespace {

// A witness only grows.
std::size_t size_of(const Witness& witness) {
  return witness.canaries.size() + witness.macs.size() + witness.points.size();
}

}  // namespace

Redundancy::Known Redundancy::known() const {
  const std::lock_guard lock(mutex_);
  return known_;
}

bool Redundancy::agree(const Known& known) {
  const std::lock_guard lock(mutex_);
  if (known.version != known_.version) return false;
  if (known.suite == known_.suite && size_of(known.witness) == size_of(known_.witness)) return true;
  known_ = known;
  ++known_.version;
  return true;
}

}  // namespace cardvault::hsm
