// A share on a custodian's medium.
#pragma once

#include <string>
#include <string_view>

#include "provisioning/custody/custodian_key.h"
#include "vault/custody/custodian_set.h"
#include "vault/custody/share.h"

namespace cardvault::custody {

struct ShareFile {
  ShareLabel label;  // as the file says in clear; the sealed share has it too
  std::string custodian;
  Digest digest{};
  std::string sealed;  // envelope.h; inside is the share as share_in_one_line() gives it
};

// "so-pin.split1.share2.0123456789abcdef.cardvault-share"
[[nodiscard]] std::string share_file_name(const ShareLabel& label);

// The file's text; `note` stands in clear in it, where it isn't "". kInternal when OpenSSL fails.
[[nodiscard]] base::Result<std::string> seal_share(const Share& share, const Custodian& custodian,
                                                   const std::string& note = "");

// Throws StartupError with `what` and the line.
[[nodiscard]] ShareFile parse_share_file(const std::string& what, std::string_view text);

// kVerificationFailed when the key is another's, or the file was changed: label and digest in clear
// must be those of the share inside. kNotAllowed with a card.
[[nodiscard]] base::Result<Share> open_share(const ShareFile& file, CustodianKey& key);

}  // namespace cardvault::custody
