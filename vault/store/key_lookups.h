// The SELECTs for rows that stand under one version of a key.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "vault/core/store.h"
#include "vault/store/statement.h"

namespace cardvault::store {

// As Lookups (lookups.h). None of the versions is indexed: each call may read a table to its end.
class KeyLookups {
 public:
  explicit KeyLookups(Connection& connection);

  [[nodiscard]] base::Result<std::vector<core::TokenId>> cards_under(core::KeyRef key,
                                                                     const core::TokenId& after,
                                                                     std::uint32_t limit);
  [[nodiscard]] base::Result<std::vector<std::int64_t>> customers_under(core::KeyRef key,
                                                                        std::int64_t after,
                                                                        std::uint32_t limit);
  [[nodiscard]] base::Result<std::vector<core::SecretKey>> secrets_under(
      core::KeyRef key, const core::SecretKey& after, std::uint32_t limit);
  [[nodiscard]] base::Result<core::KeyUse> key_use(core::KeyRef key);

 private:
  [[nodiscard]] base::Result<std::uint64_t> count(Statement& statement, std::uint32_t version);

  Statement cards_encrypted_, cards_indexed_, customers_encrypted_, customers_indexed_, secrets_;
  Statement count_cards_encrypted_, count_cards_indexed_, count_customers_encrypted_,
      count_customers_indexed_, count_secrets_, count_codes_, count_requests_, count_certificates_;
};

}  // namespace cardvault::store
