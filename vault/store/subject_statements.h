// The write transaction's statements for the tables of schema version 2.
#pragma once

#include "vault/store/statement.h"

namespace cardvault::store {

// Committer thread only; the connection must outlive it.
struct SubjectStatements {
  explicit SubjectStatements(Connection& connection);

  Statement put_code, delete_code, delete_ended_codes, delete_all_codes;
  Statement put_guard, delete_guards, restart_locks;
  Statement put_secret, delete_secret;
  Statement put_recipient, delete_recipient, put_certificate, delete_certificates;
  Statement put_canary, delete_canary;
  Statement put_approval, delete_approval;
};

}  // namespace cardvault::store
