// Where the auditor's commands print.
#pragma once

#include <ostream>

namespace cardvault::auditor {

struct Terminal {
  std::ostream& out;
  std::ostream& err;
  bool err_is_terminal = false;  // somebody watches: progress is shown
  bool json = false;             // data as JSON
};

// Exit codes of the auditor's commands, listed in cardvault-audit(1).
inline constexpr int kVerified = 0;
inline constexpr int kNotVerified = 1;
inline constexpr int kCouldNotCheck = 2;
inline constexpr int kUnreachable = 3;  // as the tool's: only this passes by itself

}  // namespace cardvault::auditor
