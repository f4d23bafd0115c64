// QR codes (ISO/IEC 18004) for a terminal, by libqrencode.
#pragma once

#include <string_view>

#include "vault/base/secret.h"

namespace cardvault::custody {

// As lines of UTF-8 half blocks, black on white whatever the terminal's colours, with the quiet
// zone that readers need. For upper-case letters and digits, which QR packs tighter; error
// correction M. Empty when libqrencode can't (text too long). libqrencode frees its working copies
// of the text without wiping them.
[[nodiscard]] base::SecretText qr_code(std::string_view text);

}  // namespace cardvault::custody
