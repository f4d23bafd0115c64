// Acts that take two operators: which can, and how one is told from another.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "protocol/wire/codec.h"
#include "vault/base/result.h"
#include "vault/core/services.h"
#include "vault/core/store.h"

namespace cardvault::daemon {

inline constexpr std::int64_t kApprovalMs = 86'400'000;  // how long the first operator's word holds

// The verbs that [admin] two_operators may name: all that change something at once.
[[nodiscard]] std::span<const std::string_view> approvable_verbs() noexcept;

// One text for one act, whatever the order of its arguments: "client.release id=web". Customers,
// card numbers typed by mistake, certificates and other long values stand in it as a keyed
// fingerprint: the text is kept and logged. Errors of Crypto.
[[nodiscard]] base::Result<std::string> act_text(core::Services& services,
                                                 const wire::AdminRequest& request);

// Whether this operator's call completes what another one asked for, at this time.
[[nodiscard]] bool completes(const core::ApprovalRow& asked, std::string_view operator_name,
                             std::int64_t now_ms) noexcept;

}  // namespace cardvault::daemon
