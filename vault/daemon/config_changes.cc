#include "vault/daemon/config_changes.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace cardvault::daemon {
namespace {

const GateConfig* find_gate(const Config& config, const std::string& name) {
  const auto found = std::ranges::find(config.gates, name,
                                       [](const GateConfig& gate) { return gate.ceiling.gate; });
  return found == config.gates.end() ? nullptr : &*found;
}

void compare_gates(const Config& running, const Config& wanted, std::vector<std::string>& out) {
  for (const GateConfig& gate : wanted.gates) {
    const auto& [socket, uid, ceiling] = gate;  // the ceiling is live
    const std::string name = "[[gate]] " + ceiling.gate;
    const GateConfig* before = find_gate(running, ceiling.gate);
    if (before == nullptr) {
      out.push_back(name + " (new)");
      continue;
    }
    if (socket != before->socket) out.push_back(name + " socket");
    if (uid != before->uid) out.push_back(name + " uid");
  }
  for (const GateConfig& gate : running.gates) {
    if (find_gate(wanted, gate.ceiling.gate) != nullptr) continue;
    out.push_back("[[gate]] " + gate.ceiling.gate + " (gone)");
  }
}

}  // namespace

std::vector<std::string> needs_restart(const Config& running, const Config& wanted) {
  // Every member is named, so that a new one doesn't compile before it is decided on. The settings
  // are live, whatever is added to them.
  const auto& [path, data_dir, admin_socket, audit, clients, disk, hsm, standbys, settings, queue,
               workers, slow_workers, max_offline_ms, keys, sandbox, unseal, gates, operators,
               two_operators] = wanted;
  const std::pair<std::string_view, bool> changes[] = {
      {"[vault] data_dir", data_dir != running.data_dir},
      {"[vault] admin_socket", admin_socket != running.admin_socket},
      {"[hsm]", hsm != running.hsm || standbys != running.standbys},
      {"[limits] queue", queue != running.queue},
      {"[limits] workers", workers != running.workers},
      {"[secrets] workers", slow_workers != running.slow_workers},
      {"[clock]", max_offline_ms != running.max_offline_ms},
      {"[unseal]", unseal != running.unseal},
      {"[keys]", keys != running.keys},
      {"[audit]", audit != running.audit},
      {"[disk]", disk != running.disk},
      {"[clients]", clients != running.clients},
      {"[admin]", operators != running.operators || two_operators != running.two_operators},
      {"[sandbox]", sandbox != running.sandbox},
  };
  std::vector<std::string> out;
  for (const auto& [key, changed] : changes) {
    if (changed) out.emplace_back(key);
  }
  compare_gates(running, wanted, out);
  return out;
}

void take_live(Config& running, const Config& wanted) {
  running.settings = wanted.settings;
  for (GateConfig& gate : running.gates) {
    if (const auto* now = find_gate(wanted, gate.ceiling.gate)) gate.ceiling = now->ceiling;
  }
}

}  // namespace cardvault::daemon
