// A client that was accepted, until a connection serves it.
#pragma once

#include <optional>
#include <string>

#include "protocol/gate/routes.h"
#include "protocol/gate/shared.h"

namespace cardvault::gate {

// Its descriptor and its places in the shared counts: whoever holds it last closes the one, unless
// that was taken over, and gives back the others. May move between threads.
class Admission {
 public:
  Admission(Shared& shared, int fd, Listener listener, std::string source) noexcept;
  Admission(Admission&& other) noexcept;
  Admission& operator=(Admission&&) = delete;  // nothing needs it
  ~Admission();

  // Takes its places, once; or the limit that is reached. The health socket has none.
  [[nodiscard]] std::optional<StrangerReason> enter(const Limits& limits);
  // Who now closes the descriptor itself.
  void disown() noexcept { fd_ = -1; }

  [[nodiscard]] int descriptor() const noexcept { return fd_; }
  [[nodiscard]] Listener listener() const noexcept { return listener_; }
  [[nodiscard]] const std::string& source() const noexcept { return source_; }

 private:
  Shared* shared_;
  int fd_;
  Listener listener_;
  std::string source_;
  bool entered_ = false;
};

}  // namespace cardvault::gate
