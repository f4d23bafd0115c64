// Files that a command sends to the vault.
#pragma once

#include <string>

namespace cardvault::provisioning {

// A file's bytes, which fit an argument of the admin protocol (protocol/wire/codec.h). Throws
// ToolError(kLocal) when it can't be read, is empty, or is too long to be a `what`.
[[nodiscard]] std::string read_small_file(const std::string& path, const char* what);

}  // namespace cardvault::provisioning
