#include "vault/daemon/open_vault.h"

#include "vault/base/log.h"
#include "vault/daemon/backup_verbs.h"
#include "vault/daemon/bounds.h"
#include "vault/daemon/pin_file.h"
#include "vault/daemon/sealed_vault.h"
#include "vault/daemon/stored_state.h"

namespace cardvault::daemon {

OpenVault::OpenVault(Config config, std::vector<std::string> overrides, std::function<void()> wake)
    : overrides_(std::move(overrides)),
      vault_(std::move(config)),
      admin_(vault_, {.reload = [this] { return reload(); },
                      .seal =
                          [this, wake] {
                            PinFile::forget();  // before anything that could fail or hang
                            sealing_ = true;
                            wake();
                          }}) {
  demand_approved(vault_.config());
  vault_.announce({vault_.system_event("start")});
  vault_.start();
  publisher_.emplace(vault_);
  housekeeping_.emplace(vault_);
  server_.emplace(vault_.config().admin_socket, admin_, vault_.config().operators);
  for (const GateConfig& gate : vault_.config().gates) {
    links_.emplace_back(
        gate,
        [this](const core::Ceiling& ceiling, wire::GateRequest request, Engine::Reply reply) {
          vault_.engine().submit(ceiling, std::move(request), std::move(reply));
        },
        vault_.floods(), vault_.outboxes(), [this] { return vault_.ready(); });
  }
  forget_snapshot(vault_);
  admin_.resume_background();
  base::log(base::Level::kNotice, "cardvaultd is ready");
}

OpenVault::~OpenVault() {
  for (GateLink& link : links_) link.stop_reading();
  server_.reset();
  admin_.stop_background();
  housekeeping_.reset();
  vault_.announce({vault_.system_event("stop")});
  vault_.stop();
  publisher_.reset();
  links_.clear();
}

void OpenVault::demand_approved(const Config& config) {
  demand_approved_bounds(*must(vault_.store().make_reader(), "the database can't be read"), config);
}

std::expected<std::string, std::string> OpenVault::reload() {
  try {
    Config config = read_config(vault_.config().path, overrides_);
    // With the pin-source that custodians' shares made.
    if (config.unseal.custodians) {
      config.hsm.token_uri = vault_.config().hsm.token_uri;
      config.standbys = vault_.config().standbys;
    }
    demand_approved(config);
    std::string said = "the configuration holds now";
    for (const std::string& note : vault_.apply(config)) said += "; " + note;
    for (const GateConfig& gate : config.gates) {
      for (GateLink& link : links_) link.set_ceiling_of(gate.ceiling);
    }
    base::log(base::Level::kNotice, "configuration reloaded");
    return said;
  } catch (const base::StartupError& error) {
    base::log(base::Level::kError, "the new configuration is refused, the old one holds",
              {{"why", error.what()}});
    return std::unexpected(std::string("refused, the old configuration holds: ") + error.what());
  }
}

void OpenVault::note_unsealed(bool kept_over_crashes) {
  core::Event opened = vault_.system_event("unseal");
  opened.details = {{"kept_over_crashes", kept_over_crashes ? "true" : "false"}};
  static_cast<void>(
      vault_.commit([&](core::Transaction& tx, core::EventSink& events) -> base::Result<void> {
        events.add(opened);
        return tx.put_value(kUnsealFailuresValue, {});
      }));
}

}  // namespace cardvault::daemon
