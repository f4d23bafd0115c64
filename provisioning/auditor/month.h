// `audit month`: the files of a closed month of a log.
#pragma once

#include <string>

#include "provisioning/auditor/terminal.h"

namespace cardvault::auditor {

struct MonthOptions {
  std::string folder;
  std::string month;  // 2026-11
};

// Prints their paths below the folder, one a line, as rsync's --files-from and tar's -T take them;
// those that are not there any more are left out. Returns the exit code. Throws StartupError: no
// such month is closed, or nothing can be read.
[[nodiscard]] int month_files(const MonthOptions& options, const Terminal& terminal);

}  // namespace cardvault::auditor
