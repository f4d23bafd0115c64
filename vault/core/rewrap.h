// Moving rows from an earlier version of a key to the active one, a slice at a time (NIST SP 800-57
// part 1, 5.3.4: what an older key protects is brought under the new one).
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "vault/core/services.h"
#include "vault/core/store.h"

namespace cardvault::core {

// Whether rows of this purpose can be moved: not codes, which end by themselves, nor signatures.
[[nodiscard]] bool is_rewrapped(KeyPurpose purpose) noexcept;

// How far a pass over the rows under one version has come.
struct RewrapPosition {
  TokenId card;
  std::int64_t customer = 0;
  SecretKey secret;
};

// Some rows, prepared on one thread and moved in the committer's transaction. A row that somebody
// changed between the two stays as it is: another pass finds it again.
class RewrapSlice {
 public:
  // Reads the next rows under `from` after `position`, at most `limit`, which it moves forward, and
  // encrypts or fingerprints them by the active version. `from` must not be that. A row that can't
  // be opened is named in damaged() and left. Errors of Reader and Crypto, kKeyExhausted,
  // kOverloaded (no encryptions are reserved at the moment): `position` is unchanged then.
  [[nodiscard]] static base::Result<RewrapSlice> prepare(Services& services, Reader& reader,
                                                         KeyRef from, RewrapPosition& position,
                                                         std::uint32_t limit);

  // Rows found: 0 at the end of the pass.
  [[nodiscard]] std::size_t rows() const noexcept { return found_; }
  // Rows that can't be moved, by token or internal number. Complete after apply().
  [[nodiscard]] const std::vector<std::string>& damaged() const noexcept { return damaged_; }
  // In apply(): how many rows were moved. 0 when the keys in use are no longer those of prepare().
  // Errors fail the group.
  [[nodiscard]] base::Result<std::uint32_t> apply(const Services& services, Transaction& tx);

 private:
  template <class Row>
  struct Move {
    Row was, now;
  };
  using AnyMove = std::variant<Move<CardRow>, Move<CustomerRow>, Move<SecretRow>>;

  [[nodiscard]] base::Result<void> add(Services& services, Reader& reader, KeyPurpose purpose,
                                       const TokenId& id);
  [[nodiscard]] base::Result<void> add(Services& services, Reader& reader, KeyPurpose purpose,
                                       std::int64_t customer);
  [[nodiscard]] base::Result<void> add(Services& services, Reader& reader, KeyPurpose purpose,
                                       const SecretKey& key);
  template <class Key>
  [[nodiscard]] base::Result<void> add_all(Services& services, Reader& reader, KeyPurpose purpose,
                                           const std::vector<Key>& keys);

  std::vector<AnyMove> moves_;
  std::vector<std::string> damaged_;
  std::size_t found_ = 0;
  std::uint64_t keys_ = 0;  // ActiveKeys::generation() of prepare()
};

}  // namespace cardvault::core
