// Where the token is and how to use it. Plain values: any room may include this.
#pragma once

#include <string>

namespace cardvault::hsm {

struct TokenConfig {
  std::string module;        // the PKCS#11 module, an absolute path
  std::string init_args;     // pReserved of C_Initialize (NSS softoken); p11-kit's x-init-reserved
  std::string token_uri;     // RFC 7512: "pkcs11:token=cardvault?pin-source=file:/run/…/pin"
  std::string softhsm_conf;  // SOFTHSM2_CONF, set before the module is loaded; empty: as it is
  unsigned sessions = 1;     // calls in flight; SoftHSM is fastest with 1 (./dev bench)
  unsigned call_timeout_ms = 5000;    // a call that takes longer is stuck (DESIGN trap 10)
  unsigned retry_ms = 250;            // between two logins while the token is away
  unsigned probe_interval_ms = 1000;  // how often the token's own keys are tried; 0: never
  bool session_copies = true;         // work on session copies of the keys where allowed
  bool cbc_hmac = false;              // suite 2 even where the module has AES-GCM
  friend bool operator==(const TokenConfig&, const TokenConfig&) = default;
};

}  // namespace cardvault::hsm
