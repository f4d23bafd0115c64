// The auditor's commands on a command line: of cardvault-audit, and below `cardvault audit`.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <span>

#include "provisioning/auditor/find.h"
#include "provisioning/auditor/report.h"
#include "provisioning/auditor/terminal.h"

namespace cardvault::auditor {

// What the parsed command does; returns its exit code, throws nothing of ours.
using Command = std::function<int(const Terminal&)>;

// A subcommand with its examples and exit codes.
CLI::App& add_command(CLI::App& parent, const char* name, const char* what,
                      const std::string& examples);
// `--custodians`, which all that follow a log's keys have.
void add_custodians(CLI::App& command, std::vector<std::string>& registers);
// `--threads`, of those that check records on all cores.
void add_threads(CLI::App& command, unsigned& threads);
// The command with its exceptions as messages and exit codes.
[[nodiscard]] Command guarded(Command command);

// Throws StartupError when a word of a command line is a card number, alone or as an option's
// value. To be asked before the words are parsed: what a parser doesn't take it repeats.
void refuse_card_numbers(std::span<const char* const> words);

// What the parser says of a line that it doesn't take, or of --help, and its exit code; of a line
// that holds a card number, in whatever word, nothing that repeats it.
int tell_of_line(const CLI::App& app, const CLI::ParseError& problem, std::ostream& out,
                 std::ostream& err);

// Adds `verify`, `prove`, `month` and `mirror`; when one of them is parsed, `chosen` gets it.
// `program` is how the examples call it.
void add_commands(CLI::App& parent, const std::string& program,
                  const std::function<void(Command)>& chosen);

// `find`, which the vault's own tool has in another form; and the options that both have.
void add_find(CLI::App& parent, const std::string& program,
              const std::function<void(Command)>& chosen);
void add_find_options(CLI::App& command, FindOptions& options);

// `report`, likewise.
void add_report(CLI::App& parent, const std::string& program,
                const std::function<void(Command)>& chosen);
// `output` says what is written.
void add_report_options(CLI::App& command, ReportOptions& options, const std::string& output);

// `verify` of an evidence archive, below `evidence`.
void add_evidence_verify(CLI::App& evidence, const std::string& program,
                         const std::function<void(Command)>& chosen);

}  // namespace cardvault::auditor
