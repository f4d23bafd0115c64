// Ceremonies: the commands `cardvault ceremony …`.
#pragma once

#include <string>

#include "provisioning/context.h"

namespace cardvault::provisioning {

// `ceremony plan check`: kDone, with a warning for each account and module that this machine lacks;
// or ToolError with everything that is wrong with the plan.
ExitCode check_plan(const Context& context, const std::string& path);
// `ceremony plan show`: the plan's digest, people, secrets and steps on stdout.
ExitCode show_plan(const Context& context, const std::string& path);

struct CeremonyOptions {
  std::string plan;
  std::string dir;  // of the new vault
  bool rehearse = false;
};

// `ceremony run`: makes the vault of the plan in `dir`, with its custodians on the terminal. Works
// in DIR/ceremony.part; what was broken off goes on from there. A rehearsal does the same on a
// SoftHSM token that is thrown away, and leaves DIR/rehearsal-ID.transcript.
ExitCode run_ceremony(const Context& context, const CeremonyOptions& options);

// `ceremony verify`: every check with its outcome; kRefused when one fails. `previous`: the
// transcript that a reshare's continues, or "".
ExitCode verify_transcript(const Context& context, const std::string& path,
                           const std::string& previous);

}  // namespace cardvault::provisioning
