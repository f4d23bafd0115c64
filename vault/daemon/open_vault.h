// A vault at work: its gates, its operators, and what goes on without them.
#pragma once

#include <atomic>
#include <expected>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "vault/daemon/admin.h"
#include "vault/daemon/admin_server.h"
#include "vault/daemon/gate_link.h"
#include "vault/daemon/housekeeping.h"
#include "vault/daemon/publisher.h"
#include "vault/daemon/vault.h"

namespace cardvault::daemon {

// One thread makes and destroys it; reload() may come from any.
class OpenVault {
 public:
  // `wake` is called on another thread when an operator has sealed the vault: sealing() is true
  // from then on, and whoever owns this destroys it. Throws StartupError as Vault does, and when
  // the configuration goes beyond what the custodians approved. `pin_source` is where the PIN is
  // that custodians gave; empty: the configuration names it.
  OpenVault(Config config, std::vector<std::string> overrides, std::function<void()> wake,
            const std::string& pin_source = {});
  // In-flight requests finish and are answered; nothing new is taken.
  ~OpenVault();
  OpenVault(const OpenVault&) = delete;             // threads hold its address
  OpenVault& operator=(const OpenVault&) = delete;  // threads hold its address

  // Reads the configuration again, for the system or as `asked`, an event that gets its outcome and
  // is durable before anything holds. What to tell; an error where the old one holds.
  std::expected<std::string, std::string> reload();
  std::expected<std::string, std::string> reload(core::Event asked);
  // The configuration given, with what reloads took up.
  [[nodiscard]] Config in_force();
  [[nodiscard]] bool sealing() const noexcept { return sealing_; }
  // The token was there and took the PIN for wrong.
  [[nodiscard]] bool pin_refused() { return vault_.token().state() == hsm::HsmState::kPinRefused; }
  // Custodians opened it: recorded, and wrong entries before it are forgotten.
  void note_unsealed(bool kept_over_crashes);

 private:
  void demand_approved(const Config& config);

  const std::vector<std::string> overrides_;
  std::mutex reloading_;  // guards config_; the last one in the log is the one that holds
  Config config_;
  std::atomic<bool> sealing_ = false;
  Vault vault_;
  AdminService admin_;
  std::optional<Publisher> publisher_;
  std::optional<Housekeeping> housekeeping_;
  std::optional<AdminServer> server_;
  std::list<GateLink> links_;
};

}  // namespace cardvault::daemon
