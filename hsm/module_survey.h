// What a module can do, asked before a token of it is made.
#pragma once

#include <string>
#include <vector>

#include "hsm/mechanisms.h"
#include "hsm/token_config.h"
#include "vault/base/result.h"

namespace cardvault::hsm {

struct ModuleSurvey {
  std::vector<MechanismFinding> findings;
  bool wraps_keys = false;          // CKM_AES_KEY_WRAP, for the custodians' backup
  std::vector<std::string> labels;  // of the tokens that are initialised already
};

// Of the first slot that waits for a token, else of the first with one. `config.token_uri` is not
// read. Throws StartupError as Module does; kNotFound when no slot has a token.
[[nodiscard]] base::Result<ModuleSurvey> survey_module(const TokenConfig& config);

}  // namespace cardvault::hsm
