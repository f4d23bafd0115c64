// The auditor's commands on a command line: of cardvault-audit, and below `cardvault audit`.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "provisioning/auditor/terminal.h"

namespace cardvault::auditor {

// What the parsed command does; returns its exit code, throws nothing of ours.
using Command = std::function<int(const Terminal&)>;

// Adds `verify` and `prove`; when one of them is parsed, `chosen` gets it. `program` is how the
// examples call it.
void add_commands(CLI::App& parent, const std::string& program,
                  const std::function<void(Command)>& chosen);

}  // namespace cardvault::auditor
