// A second HSM for the tests: what another token holds, on a token of its own.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tests/hsm/test_token.h"

namespace cardvault::hsm::testing {

// A SoftHSM with a copy of its module's file, which makes it one of its own in this process, and a
// copy of a SoftHSM token: what a vendor's cloning is, signing keys included.
class ClonedToken {
 public:
  explicit ClonedToken(const TestToken& of);
  TokenConfig config;
  [[nodiscard]] std::filesystem::path token_dir() const { return dir_.path() / "tokens"; }

 private:
  TempDir dir_;
};

// A copy of a SoftHSM token's folder, with one more AES key: made by another process, as the tool
// makes it.
[[nodiscard]] std::filesystem::path copy_with_key(const TestToken& of, const std::string& label,
                                                  const std::string& name);

// Takes version 1 of symmetric keys of `from` to the token `to`, wrapped (DESIGN 4.1).
void take_keys(const TokenConfig& from, const TokenConfig& to,
               const std::vector<core::KeyPurpose>& purposes);

}  // namespace cardvault::hsm::testing
