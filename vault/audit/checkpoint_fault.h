// What a checkpoint that can't be believed means.
#pragma once

#include <optional>

#include "vault/audit/checkpoint.h"
#include "vault/audit/finding.h"

namespace cardvault::audit {

// nullopt: it is good.
[[nodiscard]] std::optional<Finding> checkpoint_fault(const OpenedCheckpoint& opened,
                                                      const VerifierKey& key);

}  // namespace cardvault::audit
