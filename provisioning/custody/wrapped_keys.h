// A token's keys under the custodians' backup key, as a file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hsm/key_maker.h"

namespace cardvault::custody {

//   cardvault wrapped-keys v1
//   vault: 0123456789abcdef
//   split: 1                      whose shares rebuild the backup key
//   key: label=pan-enc/1 kind=AES-256 kcv=… kcv_kind=CMAC bytes=…
//   digest: <SHA-256 of all before>   once keys were added: no transcript has the digest of those
struct WrappedKeys {
  std::string vault;
  unsigned split = 0;
  std::vector<hsm::WrappedKey> keys;
};

[[nodiscard]] std::string encode(const WrappedKeys& keys);
[[nodiscard]] std::string encode_with_digest(const WrappedKeys& keys);
// Throws StartupError with `what` and the line, where a digest doesn't hold too.
[[nodiscard]] WrappedKeys parse_wrapped_keys(const std::string& what, std::string_view text);

}  // namespace cardvault::custody
