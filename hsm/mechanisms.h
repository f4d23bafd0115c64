// What the vault needs a module to be able to do, in words.
#pragma once

#include <string>
#include <vector>

namespace cardvault::hsm {

struct MechanismFinding {
  const char* name;  // "CKM_AES_GCM"
  const char* use;   // "encrypts card records"
  bool required;     // the vault cannot run without it, all else being as found
  bool present;
};

// "the module lacks CKM_SHA256_HMAC (fingerprints of cards); …"; empty when nothing required lacks.
[[nodiscard]] std::string describe_missing(const std::vector<MechanismFinding>& findings);

}  // namespace cardvault::hsm
