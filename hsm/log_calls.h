// Refusal of everything that would print PINs and plaintext as they pass to the module.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace cardvault::hsm {

// Where p11-kit looks for configuration (pkcs11.conf(5)): global, the user's, and per module.
[[nodiscard]] std::vector<std::filesystem::path> p11_kit_configuration();

// The first of `files` (or of the *.module files in a directory) that sets log-calls, with the
// line.
[[nodiscard]] std::optional<std::string> find_log_calls(
    const std::vector<std::filesystem::path>& files);

// Throws StartupError when log-calls is on, P11_KIT_DEBUG is set, or `module` is OpenSC's spy
// (DESIGN trap 8).
void refuse_call_logging(const std::string& module);

}  // namespace cardvault::hsm
