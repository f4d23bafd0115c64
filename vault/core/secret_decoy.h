// What a try is checked against when the subject has no secret: so that it costs as much.
#pragma once

#include <memory>
#include <mutex>

#include "vault/base/result.h"
#include "vault/core/settings.h"

namespace cardvault::core {

struct SecretRow;
struct Services;

// Thread-safe.
class SecretDecoy {
 public:
  // A row with the settings' cost whose secret nobody knows, owned by the internal id of zeros.
  // Made again when cost or key have changed. Errors: those of make_secret().
  [[nodiscard]] base::Result<std::shared_ptr<const SecretRow>> get(Services& services,
                                                                   const SecretSettings& settings);

 private:
  std::mutex mutex_;
  std::shared_ptr<const SecretRow> row_;
};

}  // namespace cardvault::core
