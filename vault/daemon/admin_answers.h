// Answers to operators, in words that say what to do next.
#pragma once

#include <string>

#include "protocol/wire/codec.h"
#include "vault/base/result.h"

namespace cardvault::daemon {

[[nodiscard]] wire::AdminAnswer refusal(base::Code code, std::string message);
[[nodiscard]] wire::AdminAnswer failed(const base::Error& error);
[[nodiscard]] wire::AdminAnswer success(std::string message);

}  // namespace cardvault::daemon
