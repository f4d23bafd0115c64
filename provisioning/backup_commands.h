// The command line of backups: `cardvault backup …`.
#pragma once

#include "provisioning/commands.h"

namespace cardvault::provisioning {

void add_backup_commands(CLI::App& app, Chosen& chosen);

}  // namespace cardvault::provisioning
