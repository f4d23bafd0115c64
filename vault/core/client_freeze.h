// Freezing a client: by an operator, by its reveal budget, or by a canary.
#pragma once

#include <string>
#include <string_view>

#include "vault/base/result.h"
#include "vault/core/store.h"

namespace cardvault::core {

// The text under which an operator's word for a release waits for a second one's.
[[nodiscard]] std::string release_act(std::string_view client_id);

// Writes the client as frozen, and voids a word that waits: it was given before this freeze, and a
// release of this one takes two operators who know of it. In apply(). Errors of the transaction.
[[nodiscard]] base::Result<void> freeze_client(Transaction& tx, Client& client);

}  // namespace cardvault::core
