// The SELECTs for what belongs to subjects: codes, counters of attempts, secrets; and for what
// operators keep: recipients, canaries, approvals.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "vault/core/store.h"
#include "vault/store/statement.h"

namespace cardvault::store {

// As Lookups (lookups.h), for the tables of schema versions 2 and 3.
class SubjectLookups {
 public:
  explicit SubjectLookups(Connection& connection);

  [[nodiscard]] base::Result<std::optional<core::CodeRow>> code(std::int64_t subject,
                                                                std::string_view purpose);
  [[nodiscard]] base::Result<std::optional<core::GuardRow>> guard(std::int64_t subject,
                                                                  std::string_view scope);
  [[nodiscard]] base::Result<std::vector<core::GuardRow>> guards(std::int64_t subject);
  [[nodiscard]] base::Result<std::optional<core::SecretRow>> secret(std::int64_t subject,
                                                                    core::SecretKind kind);
  [[nodiscard]] base::Result<std::vector<core::Recipient>> recipients();
  [[nodiscard]] base::Result<std::vector<core::ClientCertificateRow>> client_certificates();
  [[nodiscard]] base::Result<std::vector<core::TokenId>> canaries();
  [[nodiscard]] base::Result<std::optional<core::ApprovalRow>> approval(std::string_view act);

 private:
  Statement code_, guard_, guards_, secret_, recipients_, certificates_, canaries_, approval_;
};

}  // namespace cardvault::store
