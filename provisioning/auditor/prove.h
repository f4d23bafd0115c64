// `audit prove`: the evidence that one record is in a log.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "provisioning/auditor/terminal.h"

namespace cardvault::auditor {

struct ProveOptions {
  std::string folder;
  std::vector<std::string> also;  // further folders with files of the log
  std::string key;  // may be empty: the checkpoint's signature is then not checked here
  std::vector<std::string> custodians;  // registers that are trusted
  std::uint64_t record = 0;
};

// Prints a proof as c2sp.org/tlog-proof has it; `extra` is the record itself. Returns the exit
// code: a proof that would not hold is not printed. Throws StartupError: nothing could be read;
// NotProven as of PublishedLog, and where a file is missing.
[[nodiscard]] int prove(const ProveOptions& options, const Terminal& terminal);

}  // namespace cardvault::auditor
