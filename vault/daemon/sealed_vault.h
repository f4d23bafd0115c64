// A vault that waits for its custodians: gates answer `sealed`, operators bring shares of the PIN.
#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "vault/core/vault_clock.h"
#include "vault/custody/share_register.h"
#include "vault/daemon/admin_server.h"
#include "vault/daemon/config.h"
#include "vault/daemon/entered_shares.h"
#include "vault/daemon/flood.h"
#include "vault/daemon/gate_link.h"
#include "vault/daemon/outbox.h"
#include "vault/store/sqlite_store.h"

namespace cardvault::daemon {

// Named value of vault.db: wrong entries in a row, and until when none is taken; empty once open.
inline constexpr std::string_view kUnsealFailuresValue = "unseal_failures";

// Holds the vault's lock and store, and no session with the token. Shares that were entered are
// wiped EnteredShares::kLife after the last one; kMostFailures wrong entries in a row lock all
// entries for kLock, over restarts too (PCI DSS 8.3.4). Every entry is an event before its answer.
class SealedVault final : public AdminHandler {
 public:
  static constexpr std::uint32_t kMostFailures = 10;
  static constexpr std::int64_t kLockMs = 30LL * 60'000;

  // `complete` is called on a thread of the admin server when the PIN is there. Throws StartupError
  // as Vault does.
  SealedVault(const Config& config, std::function<void()> complete);
  ~SealedVault() override;
  SealedVault(const SealedVault&) = delete;             // threads hold its address
  SealedVault& operator=(const SealedVault&) = delete;  // threads hold its address

  [[nodiscard]] wire::AdminAnswer run(wire::AdminRequest& request, const std::string& operator_name,
                                      const Emit& emit) override;
  void refuse_stranger(std::uint32_t uid) override;

  // The PIN once enough shares are there, and then no more.
  [[nodiscard]] std::optional<base::SecretBuffer> take_pin();
  // The token refused the PIN that the last shares made: told to whoever asks, and counted.
  void token_refused();
  // Every second or so: lets shares go that waited too long, writes down what strangers did.
  void tick();

 private:
  struct Failures {
    std::uint64_t count = 0;
    std::int64_t locked_until_ms = 0;
  };
  wire::AdminAnswer status(bool as_doctor);
  wire::AdminAnswer take_share(const wire::AdminRequest& request, const std::string& operator_name);
  wire::AdminAnswer refuse_share(core::Event done, base::Code code, const std::string& why,
                                 bool counts);
  wire::AdminAnswer accept_share(core::Event done, custody::Share share,
                                 const custody::KnownShare& known);
  void let_go_of_old_shares();
  [[nodiscard]] core::Event event(const std::string& operation, const std::string& actor) const;
  [[nodiscard]] base::Result<void> record(core::Event event);
  [[nodiscard]] base::Result<Failures> failures();
  [[nodiscard]] base::Result<void> put_failures(core::Event event, Failures failures);

  const Config config_;
  const std::function<void()> complete_;
  FloodCounter floods_;
  Outboxes outboxes_;
  std::atomic<const base::Clock*> store_clock_ = nullptr;
  std::unique_ptr<store::SqliteStore> store_;
  std::unique_ptr<core::VaultClock> clock_;
  std::mutex mutex_;  // guards what follows
  EnteredShares entered_;
  unsigned needed_ = 0;  // 0: not known before the first share
  std::optional<base::SecretBuffer> pin_;
  std::string last_problem_;
  unsigned ticks_ = 0;  // tick()'s thread
  std::list<GateLink> links_;
  std::unique_ptr<AdminServer> server_;
};

}  // namespace cardvault::daemon
