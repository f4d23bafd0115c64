// Where an administrative act is carried out: in a running vault, or in this process.
#pragma once

#include <functional>

#include "protocol/wire/codec.h"

namespace cardvault::provisioning {

// One operator's line to a vault. Not thread-safe.
class Backend {
 public:
  using Partial = std::function<void(const wire::AdminAnswer&)>;

  virtual ~Backend() = default;
  // Carries out one act and returns its last answer; those before it (progress, followed events)
  // go to `partial` as they come. Throws ToolError(kUnreachable) when the line breaks.
  [[nodiscard]] virtual wire::AdminAnswer run(wire::AdminRequest request,
                                              const Partial& partial) = 0;
  // False when the vault is stopped and this process stands in for it.
  [[nodiscard]] virtual bool running() const = 0;
};

}  // namespace cardvault::provisioning
