// Customers as the subjects of requests: found by their identifier, or made on the first request.
#pragma once

#include <string_view>

#include "vault/core/index_fingerprints.h"
#include "vault/core/services.h"
#include "vault/core/store.h"

namespace cardvault::core {

// check_customer() for a code's or secret's subject: kInvalidSubject, kPanInField.
[[nodiscard]] base::Result<void> check_subject(std::string_view subject);

enum class LookUp : std::uint8_t {
  kCacheFirst,  // row, id and fingerprint may come from the cache alone: the rest is empty then
  kStore,
};

// prepare(): the customer of this name; one that is not stored has row 0 and no id, but the
// fingerprint that it is counted by. Errors of Reader.
[[nodiscard]] base::Result<CustomerRow> find_customer(Reader& reader,
                                                      const IndexFingerprints& name);

// prepare(): the customer of this identifier. One that is not stored has row 0, a fresh random id
// and its sealed name, ready for insert_customer(). Errors of Reader, Crypto and seal_name().
[[nodiscard]] base::Result<CustomerRow> find_or_make_customer(Services& services, Reader& reader,
                                                              std::string_view identifier,
                                                              const IndexFingerprints& name,
                                                              LookUp look);

// apply(): the row as it stands now, or `prepared` with row 0 when it is not stored. kConflict when
// what was prepared is no longer so: somebody stored the customer under another id, or it is gone.
[[nodiscard]] base::Result<CustomerRow> current_customer(Transaction& tx,
                                                         const CustomerRow& prepared);

// apply(): stores it and returns its row. What was counted in its slot while it was not stored is
// its own from now on: becoming known unlocks nothing.
[[nodiscard]] base::Result<std::int64_t> insert_customer(Transaction& tx,
                                                         const CustomerRow& customer);

}  // namespace cardvault::core
