// How commands hang on the command line. Included by the sources that define commands, and no
// other: CLI11 is a large header.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "provisioning/context.h"

namespace cardvault::provisioning {

// What the parsed command does, once the globals are complete.
using Chosen = std::function<ExitCode(const Context&)>;

// A subcommand with its examples; globals may stand before or after it.
CLI::App& command(CLI::App& parent, const char* name, const char* what, const char* examples);

void add_operator_commands(CLI::App& app,
                           Chosen& chosen);  // status, key, client, customer, token, clock
void add_file_commands(CLI::App& app, Chosen& chosen);  // init, bin, audit, backup, doctor

}  // namespace cardvault::provisioning
