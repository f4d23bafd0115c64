#include "vault/daemon/open_vault.h"

#include <algorithm>
#include <utility>

#include "vault/base/log.h"
#include "vault/daemon/backup_verbs.h"
#include "vault/daemon/bounds.h"
#include "vault/daemon/config_changes.h"
#include "vault/daemon/pin_file.h"
#include "vault/daemon/sealed_vault.h"
#include "vault/daemon/stored_state.h"

namespace cardvault::daemon {
namespace {

Config with_pin(Config config, const std::string& pin_source) {
  if (pin_source.empty()) return config;
  const auto add = [&](hsm::TokenConfig& token) {
    const bool query = token.token_uri.find('?') != std::string::npos;
    token.token_uri += (query ? "&pin-source=" : "?pin-source=") + pin_source;
  };
  add(config.hsm);
  std::ranges::for_each(config.standbys, add);
  return config;
}

std::string listed(const std::vector<std::string>& keys) {
  std::string out;
  for (const std::string& key : keys) out += (out.empty() ? "" : ", ") + key;
  return out;
}

}  // namespace

OpenVault::OpenVault(Config config, std::vector<std::string> overrides, std::function<void()> wake,
                     const std::string& pin_source)
    : overrides_(std::move(overrides)),
      config_(std::move(config)),
      vault_(with_pin(config_, pin_source)),
      admin_(vault_, {.reload = [this](core::Event asked) { return reload(std::move(asked)); },
                      .seal =
                          [this, wake = std::move(wake)] {
                            PinFile::forget();  // before anything that could fail or hang
                            sealing_ = true;
                            wake();
                          }}) {
  demand_approved(vault_.config());
  vault_.announce({vault_.system_event("start")});
  vault_.start();
  publisher_.emplace(vault_);
  housekeeping_.emplace(vault_);
  // Before a gate can say that the vault is ready: whoever hears that finds the socket.
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
  server_->start();  // last: a reload goes to every link
  base::log(base::Level::kNotice, "cardvaultd is ready");
}

OpenVault::~OpenVault() {
  for (GateLink& link : links_) link.stop_reading();
  server_.reset();
  admin_.stop_background();
  housekeeping_.reset();
  vault_.announce_late();
  vault_.announce(vault_.floods().take(vault_.clock().now_ms()));  // of the last seconds
  vault_.announce({vault_.system_event("stop")});
  vault_.stop_serving();
  publisher_.reset();
  vault_.stop();
  finish(links_);
}

void OpenVault::demand_approved(const Config& config) {
  demand_approved_bounds(*must(vault_.store().make_reader(), "the database can't be read"), config);
}

std::expected<std::string, std::string> OpenVault::reload() {
  return reload(vault_.system_event("reload"));
}

std::expected<std::string, std::string> OpenVault::reload(core::Event asked) {
  const std::lock_guard lock(reloading_);
  auto refusal = base::Code::kInvalidArgument;
  try {
    const Config wanted = read_config(config_.path, overrides_);
    demand_approved(wanted);
    const std::string left = listed(needs_restart(config_, wanted));
    core::Event done = asked;
    if (!left.empty()) done.details.emplace_back("needs_restart", left);
    if (const auto recorded = vault_.record(std::move(done)); !recorded) {
      refusal = recorded.error().code;
      throw base::StartupError("the reload can't be recorded: run `cardvault doctor`");
    }
    take_live(config_, wanted);
    vault_.apply(config_);
    for (const GateConfig& gate : config_.gates) {
      for (GateLink& link : links_) link.set_ceiling_of(gate.ceiling);
    }
    base::log(base::Level::kNotice, "configuration reloaded", {{"needs_restart", left}});
    if (left.empty()) return "the configuration holds now";
    return "needs a restart: " + left + "; the rest of the configuration holds now";
  } catch (const base::StartupError& error) {
    base::log(base::Level::kError, "the new configuration is refused, the old one holds",
              {{"why", error.what()}});
    asked.outcome = base::code_name(refusal);
    if (!vault_.record(asked)) vault_.announce({std::move(asked)});  // written when it can be
    return std::unexpected(std::string("refused, the old configuration holds: ") + error.what());
  }
}

Config OpenVault::in_force() {
  const std::lock_guard lock(reloading_);
  return config_;
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
