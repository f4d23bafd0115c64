// Keyed fingerprints of a card or a customer while an index key is being rotated: the active
// version and the earlier ones that rows may still stand under.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "vault/base/result.h"
#include "vault/core/pan.h"
#include "vault/core/services.h"
#include "vault/core/store.h"

namespace cardvault::core {

// One text under every version of an index key that look-ups use (ActiveKeys::usable). New rows get
// the active one; a look-up tries it first, then the others, so that a card or customer is found
// under whichever version its row stands, and never stored twice.
struct IndexFingerprints {
  struct Earlier {
    std::uint32_t version = 0;
    Fingerprint fp{};
  };
  Fingerprint active{};
  std::uint32_t version = 0;     // of the active one
  std::vector<Earlier> earlier;  // the newest first; usually none
};

// By pan-index and by id-index. One MAC per version. Errors of Crypto.
[[nodiscard]] base::Result<IndexFingerprints> pan_fingerprints(Services& services, const Pan& pan);
[[nodiscard]] base::Result<IndexFingerprints> name_fingerprints(Services& services,
                                                                std::string_view identifier);

// By one version of pan-index, a retired one too: for the log, which names cards by the version
// that was active then.
[[nodiscard]] base::Result<Fingerprint> pan_fingerprint(Services& services, const Pan& pan,
                                                        std::uint32_t version);

// The same look-ups as the Reader's, under each version in turn. Errors of the Reader.
[[nodiscard]] base::Result<std::optional<CustomerRow>> customer_by_name(
    Reader& reader, const IndexFingerprints& name);
[[nodiscard]] base::Result<std::optional<TokenId>> card_of(Reader& reader, std::int64_t customer,
                                                           const IndexFingerprints& pan);
[[nodiscard]] base::Result<bool> pan_refused(Reader& reader, std::int64_t customer,
                                             const IndexFingerprints& pan, std::uint32_t since_day);

}  // namespace cardvault::core
