// The write transaction's statements that move rows to other keys.
#pragma once

#include "vault/store/statement.h"

namespace cardvault::store {

// Committer thread only; the connection must outlive it.
struct KeyStatements {
  explicit KeyStatements(Connection& connection);

  Statement move_card, move_index, move_customer, move_secret;
};

}  // namespace cardvault::store
