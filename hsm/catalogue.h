// What was found on a token at a login: its keys, their check values, the device itself.
#pragma once

#include <map>
#include <string>

#include "hsm/connection.h"
#include "hsm/token_crypto.h"

namespace cardvault::hsm {

struct Catalogue {
  std::map<core::KeyRef, core::SigningPublicKey> keys;  // an empty point where the key has none
  std::map<core::KeyRef, std::string> kcvs;
  TokenDescription description;
};

// REQUIRES: nobody else uses the connection's first session.
[[nodiscard]] Catalogue make_catalogue(const Connection& connection, const Module& module,
                                       const TokenConfig& config);

}  // namespace cardvault::hsm
