// The custodians' word: their register in vault.db, and whether a quorum of them allows an act.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "vault/core/store.h"
#include "vault/custody/custodian_set.h"
#include "vault/daemon/act_arguments.h"

namespace cardvault::daemon {

// Named values of vault.db.
inline constexpr std::string_view kCustodiansValue = "custodians";       // encode(CustodianSet)
inline constexpr std::string_view kSpentActionsValue = "spent_actions";  // until they expire
// Arguments of a request that are no part of its act: the approved action's text, once, and
// approvals' texts.
inline constexpr std::string_view kActionArgument = "quorum.action";
inline constexpr std::string_view kApprovalArgument = "quorum.approval";
[[nodiscard]] bool is_quorum_argument(std::string_view name) noexcept;

// nullopt: this vault has no custodians. kRecordDamaged; errors of Reader.
[[nodiscard]] base::Result<std::optional<custody::CustodianSet>> registered_custodians(
    core::Reader& reader);

// What somebody asks for: the verb, and all arguments of the request.
struct Act {
  std::string_view verb;
  std::span<const std::pair<std::string, std::string>> arguments;
};

struct QuorumRefusal {
  base::Code code = base::Code::kApprovalNeeded;
  std::string text;    // what is missing or wrong, and whose
  std::string action;  // kApprovalNeeded: what custodians have to sign, made for this act
};

// nullopt: the vault has no custodians, or a quorum of them has signed exactly this act for this
// vault; the signatures are good for this once, and `done` says whose they are. Call it last, when
// nothing else refuses the act any more. REQUIRES vault time that is trusted. Committer thread,
// inside apply(). Errors of Transaction.
[[nodiscard]] base::Result<std::optional<QuorumRefusal>> check_word(core::Transaction& tx,
                                                                    const Act& act,
                                                                    core::Event& done);

}  // namespace cardvault::daemon
