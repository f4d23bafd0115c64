#include "vault/daemon/entered_shares.h"

#include <utility>

#include "vault/custody/shamir.h"

namespace cardvault::daemon {

void EnteredShares::add(custody::Share share, Time now) {
  shares_.push_back(std::move(share));
  last_ = now;
}

bool EnteredShares::drop_old(Time now) {
  if (shares_.empty() || now - last_ < kLife) return false;
  clear();
  return true;
}

base::SecretBuffer EnteredShares::combine() {
  std::vector<custody::Part> parts;
  for (custody::Share& one : shares_) parts.push_back({one.label.index, std::move(one.value)});
  clear();
  return custody::combine(parts);
}

}  // namespace cardvault::daemon
