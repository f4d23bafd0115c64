// The sections of vault.toml about what customers type: [otp], [attempts], [secrets].
#pragma once

#include <toml++/toml.h>
#include <string>

#include "vault/core/settings.h"

namespace cardvault::daemon {

// Throws base::StartupError with file, line and what to write instead.
void read_codes(const toml::table& root, const std::string& path, core::Settings& settings);
void read_attempts(const toml::table& root, const std::string& path, core::Settings& settings);
// Returns the number of workers for Argon2id.
[[nodiscard]] std::uint32_t read_secrets(const toml::table& root, const std::string& path,
                                         core::Settings& settings);

}  // namespace cardvault::daemon
