// The published log as the auditors' gate serves it.
#pragma once

#include <string>
#include <vector>

#include "vault/core/request.h"

namespace cardvault::daemon {

// Services::read_log of the log in `dir`, with the files of months that were moved to the folders
// `closed`. Nothing but a log's own paths is ever opened. kPathNotFound: no such path; kNotFound:
// no such file; kStoreFailed: the log has this file, and no folder that can be read does, which is
// told in the daemon's log too.
[[nodiscard]] base::Result<core::AuditPiece> read_published_file(
    const std::string& dir, const std::vector<std::string>& closed, const core::AuditRead& request);

}  // namespace cardvault::daemon
