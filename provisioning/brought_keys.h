// Wrapped keys that come to a token which lacks some of them.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "hsm/key_maker.h"

namespace cardvault::provisioning {

using ReportsByLabel = std::map<std::string, hsm::KeyReport>;

// The custodians' backup key, asked for when it is needed.
using AskBackupKey = std::function<base::SecretBuffer()>;

struct BroughtKeys {
  std::vector<std::string> before;  // labels that were on the token, signing keys included
  std::vector<std::string> brought;
};

// Brings those that the token lacks, each compared with its check value. One that is there with it
// is passed over, and destroyed and made anew where it is not as the vault makes its keys. Throws
// ToolError before anything is changed where a label is taken by another key, which is never
// overwritten; where the module can't unwrap; and when a key does not come back as it was.
// `on_token`: what the token has; reports of those that were brought are put in.
[[nodiscard]] BroughtKeys bring_keys(hsm::KeyMaker& maker, std::span<const hsm::WrappedKey> keys,
                                     const AskBackupKey& ask, ReportsByLabel& on_token);

}  // namespace cardvault::provisioning
