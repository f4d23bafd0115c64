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

// A command that is its verb, with at most one argument, named `key` to the vault and `argument` in
// the usage.
void add_plain(CLI::App& parent, Chosen& chosen, const char* name, const char* what,
               const char* verb, const char* examples, const char* key = nullptr,
               const char* argument = nullptr);

void add_operator_commands(CLI::App& app,
                           Chosen& chosen);  // status, client, customer, token, clock
// What hangs below `client` about the vault's own CA: enroll, ca, certificates, revoke.
void add_enroll_commands(CLI::App& client, Chosen& chosen);
void add_key_commands(CLI::App& app, Chosen& chosen);
void add_recipient_commands(CLI::App& app, Chosen& chosen);
void add_watch_commands(CLI::App& app, Chosen& chosen);  // otp, canary, jwks
void add_custody_commands(CLI::App& app,
                          Chosen& chosen);  // ceremony, share, custodian, action, approve
void add_file_commands(CLI::App& app, Chosen& chosen);  // init, bin, backup, doctor
void add_log_commands(CLI::App& app, Chosen& chosen);   // audit

}  // namespace cardvault::provisioning
