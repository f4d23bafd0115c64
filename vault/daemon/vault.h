// The vault put together: store, HSM, domain and engine. Used by cardvaultd, and by the tool while
// no daemon runs.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "hsm/token_group.h"
#include "vault/core/services.h"
#include "vault/core/vault_clock.h"
#include "vault/daemon/act_arguments.h"
#include "vault/daemon/client_ca.h"
#include "vault/daemon/config.h"
#include "vault/daemon/engine.h"
#include "vault/daemon/event_feed.h"
#include "vault/daemon/flood.h"
#include "vault/daemon/late_events.h"
#include "vault/daemon/metrics.h"
#include "vault/seal/argon2id.h"
#include "vault/store/sqlite_store.h"

namespace cardvault::daemon {

// The vault's clock, from the mark that was saved last and the events that are younger, which stay
// in the store until the next mark. Throws StartupError.
[[nodiscard]] std::unique_ptr<core::VaultClock> open_vault_clock(const store::SqliteStore& store,
                                                                 std::int64_t max_offline_ms);

// Why the published log can't be continued.
struct LogFault {
  std::string_view state;  // what readyz and the alarm call it, a literal below; empty: it can be
  std::string why;
};
inline constexpr std::string_view kLogInconsistent = "log_inconsistent";
inline constexpr std::string_view kLogKeyLost = "log_key_lost";

// Thread-safe after construction. Members are declared in the order in which they depend on each
// other; destruction runs the other way round.
class Vault {
 public:
  // Takes the vault's lock, opens the databases, logs in, loads clients, keys, BIN table, budgets.
  // Throws StartupError with what to do.
  explicit Vault(Config config);
  ~Vault();
  Vault(const Vault&) = delete;             // threads hold its address
  Vault& operator=(const Vault&) = delete;  // threads hold its address

  // Starts the workers. Requests come in through engine().
  void start();
  // Finishes what is queued (Engine::stop()), makes it and what was announced durable, saves the
  // clock and the budgets.
  void stop_serving();
  // That, and closes the store for writing.
  void stop();

  [[nodiscard]] const Config& config() const noexcept { return config_; }
  [[nodiscard]] core::Services& services() noexcept { return services_; }
  [[nodiscard]] core::Committer& committer() noexcept { return store_->committer(); }
  [[nodiscard]] store::SqliteStore& store() noexcept { return *store_; }
  [[nodiscard]] hsm::TokenGroup& token() noexcept { return *crypto_; }
  [[nodiscard]] core::VaultClock& clock() noexcept { return *clock_; }
  [[nodiscard]] Engine& engine() noexcept { return *engine_; }
  [[nodiscard]] Metrics& metrics() noexcept { return metrics_; }
  [[nodiscard]] FloodCounter& floods() noexcept { return floods_; }
  [[nodiscard]] ClientCa& client_ca() noexcept { return *client_ca_; }
  [[nodiscard]] Outboxes& outboxes() noexcept { return outboxes_; }
  [[nodiscard]] const EventFeed* feed() const noexcept { return feed_.get(); }

  // "HSM 2 (pkcs11:token=cardvault)", from 0.
  [[nodiscard]] std::string token_name(std::size_t token) const;
  // That not all HSMs are secure cryptographic devices, of several with the names of those that
  // aren't; empty: all are, as far as they have been seen.
  [[nodiscard]] std::string software_note() const;
  // May this vault be sent traffic, and what should an operator know?
  [[nodiscard]] core::ReadyAnswer ready();
  // Puts what is live of a configuration in force (config_changes.h); config() stays as it was.
  void apply(const Config& config);
  // What the configuration in force allows, as of the last apply() (bounds.h).
  [[nodiscard]] std::shared_ptr<const ActArguments> bounds() const { return bounds_.load(); }

  // Runs one decision in the committer's transaction and waits until it is durable. `after` runs on
  // the committer's thread once it is: for images in memory, in the order of the commits.
  [[nodiscard]] base::Result<void> commit(
      std::move_only_function<base::Result<void>(core::Transaction&, core::EventSink&)> decide,
      std::move_only_function<void()> after = {});
  // Records an event and waits until it is durable.
  [[nodiscard]] base::Result<void> record(core::Event event);
  // Records events without waiting; alarms are counted and logged too. What the store doesn't take
  // waits for announce_late(), which housekeeping calls; as a failed commit may turn out to be
  // durable, it may be said twice.
  void announce(std::vector<core::Event> events);
  void announce_late();
  void alarm(std::string_view what, std::vector<std::pair<std::string, std::string>> details = {});
  [[nodiscard]] core::Event system_event(std::string operation) const;

  // The key register as it was last committed.
  [[nodiscard]] std::shared_ptr<const std::vector<core::KeyRow>> key_rows() const {
    return key_rows_.load();
  }
  // From now on the register is this, and its keys are in use. On the committer's thread, in the
  // order of the commits.
  void set_key_rows(std::vector<core::KeyRow> rows);

  // Versions of audit-sign that the register has and the token has not, the active one among them;
  // empty: there is no such loss.
  [[nodiscard]] std::shared_ptr<const std::set<core::KeyRef>> lost_log_keys() const {
    return lost_log_keys_.load();
  }
  // Looks for such a loss where every HSM answers; the publisher does where it finds no key.
  void find_lost_log_keys();
  // In words, with what to do; "": none.
  [[nodiscard]] std::string log_key_loss() const;
  // The register names another active one, which the token has: requests are refused until the
  // publisher has opened the log with it. On the committer's thread.
  void log_key_replaced() {
    lost_log_keys_.store(std::make_shared<const std::set<core::KeyRef>>());
  }

  // Refuses requests while the published log can't be continued, as readyz and doctor say.
  void seal(LogFault fault);
  void unseal();
  // Of the publisher's last look; its state is empty: none.
  [[nodiscard]] std::shared_ptr<const LogFault> log_fault() const { return log_fault_.load(); }
  // How full its disks are: refuses what that forbids; told by readyz and doctor.
  void set_disk(DiskState state);
  [[nodiscard]] std::shared_ptr<const DiskState> disk() const { return disk_.load(); }
  // The first event that rebuilding the reveal counters at the next start needs.
  [[nodiscard]] std::uint64_t replay_from() const noexcept { return replay_from_; }

  // Makes the reveal counters and the clock's mark durable, at most so much late.
  void save_state();

 private:
  [[nodiscard]] std::unique_ptr<EventFeed> make_feed();
  void feed_troubled(EventFeed::Trouble trouble, const EventFeed::Counts& counts);
  [[nodiscard]] std::unique_ptr<store::SqliteStore> open_store();
  [[nodiscard]] std::unique_ptr<core::VaultClock> open_clock();
  [[nodiscard]] std::unique_ptr<hsm::TokenGroup> open_token();
  void load_images(core::Reader& reader);
  void load_keys(core::Reader& reader);
  void load_budgets(core::Reader& reader);
  void note_boot();
  void count_alarm(std::string_view what);
  void token_changed(std::size_t token, const hsm::HsmEvent& change, hsm::HsmState together);
  [[noreturn]] void token_stuck(std::size_t token, std::chrono::milliseconds age);

  const Config config_;  // as it was at the start
  Metrics metrics_;
  FloodCounter floods_;
  Outboxes outboxes_;
  LateEvents late_;
  std::unique_ptr<EventFeed> feed_;  // null: events go nowhere else
  std::atomic<const base::Clock*> store_clock_ =
      nullptr;  // for the store, whose thread starts first
  std::unique_ptr<store::SqliteStore> store_;
  std::unique_ptr<core::VaultClock> clock_;
  core::ClientDirectory clients_;
  core::RecipientDirectory recipients_;
  core::RevealBudget reveals_;
  core::InvocationMeter invocations_;
  core::ActiveKeys keys_;
  base::Snapshot<std::vector<core::KeyRow>> key_rows_{
      std::make_shared<const std::vector<core::KeyRow>>()};
  base::Snapshot<std::set<core::KeyRef>> lost_log_keys_{
      std::make_shared<const std::set<core::KeyRef>>()};
  core::IdempotencyGuard idempotency_;
  core::MissGuard misses_;
  core::CustomerCache customers_;
  std::unique_ptr<hsm::TokenGroup> crypto_;
  std::unique_ptr<core::Sealer> sealer_;
  seal::Argon2id passwords_;
  core::Services services_;
  std::unique_ptr<ClientCa> client_ca_;
  std::unique_ptr<Engine> engine_;
  base::Snapshot<LogFault> log_fault_{std::make_shared<const LogFault>()};
  base::Snapshot<DiskState> disk_{std::make_shared<const DiskState>()};
  base::Snapshot<ActArguments> bounds_;
  std::atomic<std::uint64_t> replay_from_ = 0;
  bool serving_stopped_ = false;
  bool stopped_ = false;
};

}  // namespace cardvault::daemon
