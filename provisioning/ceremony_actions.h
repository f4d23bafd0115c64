// What custodians do alone: their keys, and approving actions. Offline, with no vault near.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "provisioning/context.h"

namespace cardvault::provisioning {

// `custodian key create`: asks for a passphrase twice, makes the file, prints the line for the
// plan. `passphrase_fd` >= 0 reads it from there instead (a line).
ExitCode create_custodian_key(const Context& context, const std::string& path, int passphrase_fd);
// `custodian key show`: opens a key file or card and prints its public key.
ExitCode show_custodian_key(const Context& context, const std::string& place, int passphrase_fd);

struct NewAction {
  std::string vault;  // of the custodians' register, or 16 hex digits
  std::string custodians;
  std::string verb;
  std::vector<std::string> arguments;  // NAME=VALUE
  unsigned hours = 24;
  std::string out;
};
// `action new`: writes the action's file.
ExitCode new_action(const Context& context, const NewAction& options);
// `action show`: the action and its digest.
ExitCode show_action(const Context& context, const std::string& path);
// `action check`: whether these approvals are a quorum of the registered custodians; kRefused when
// not, with everything that is wrong.
ExitCode check_action(const Context& context, const std::string& path,
                      const std::string& custodians, const std::vector<std::string>& approvals);

struct ApproveOptions {
  std::string action;
  std::string key;     // a path or a card's URI
  std::string out;     // "": ACTION.FINGERPRINT.approval
  std::string digest;  // the full digest, instead of a Yes on the terminal
  int passphrase_fd = -1;
};
// `approve`: shows the action and signs it after an exact "Yes".
ExitCode approve(const Context& context, const ApproveOptions& options);

}  // namespace cardvault::provisioning
