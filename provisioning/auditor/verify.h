// `audit verify`: is a published log what it was?
#pragma once

#include <string>
#include <vector>

#include "provisioning/auditor/continuation.h"
#include "provisioning/auditor/terminal.h"

namespace cardvault::auditor {

struct VerifyOptions {
  std::string folder;
  std::string key;                   // see PublishedLog::key()
  std::vector<std::string> also;     // further folders with files of the log, or of those before
  std::vector<std::string> against;  // files: checkpoints kept elsewhere
  unsigned threads = 0;              // 0: one per core
  BeforeOptions before = {};         // logs that this one continues
};

// Returns the exit code. Throws StartupError: nothing could be checked.
[[nodiscard]] int verify(const VerifyOptions& options, const Terminal& terminal);

}  // namespace cardvault::auditor
