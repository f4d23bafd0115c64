// Who answers on the admin socket: an open vault (AdminService), or a sealed one (SealedVault).
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "protocol/wire/codec.h"

namespace cardvault::daemon {

// Thread-safe: one thread per connection calls it.
class AdminHandler {
 public:
  // Sends a part of a long answer; false when nobody listens any more.
  using Emit = std::function<bool(wire::AdminAnswer)>;

  virtual ~AdminHandler() = default;
  [[nodiscard]] virtual wire::AdminAnswer run(wire::AdminRequest& request,
                                              const std::string& operator_name,
                                              const Emit& emit) = 0;
  // Somebody connected who is no operator: recorded.
  virtual void refuse_stranger(std::uint32_t uid) = 0;
};

}  // namespace cardvault::daemon
