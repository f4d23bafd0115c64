// Acts that take the custodians' quorum: what a command hands out to be signed, and takes back.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "provisioning/exit_code.h"

namespace cardvault::wire {
struct AdminAnswer;
}

namespace cardvault::provisioning {

struct Context;

struct QuorumFiles {
  std::string verb;  // of the action; empty: no action was given
  std::string action;
  std::vector<std::string> approvals;
};

// Of files and folders: an action's file, and approvals of it. In a folder, files ending in
// ".action" and ".approval" count. Throws ToolError or StartupError with what is wrong.
[[nodiscard]] QuorumFiles read_quorum_files(const std::vector<std::string>& paths);

// Adds them to the arguments of an act of their verb.
void add_approvals(const QuorumFiles& files, const std::string& verb,
                   std::vector<std::pair<std::string, std::string>>& arguments);

// The vault's answer that an act takes signatures: puts the action into a new folder and says what
// to do next. kWaits.
ExitCode hand_out_action(const Context& context, const wire::AdminAnswer& answer);

}  // namespace cardvault::provisioning
