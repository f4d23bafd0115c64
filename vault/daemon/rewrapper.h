// Moves rows to the active version of a key while the vault works.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "vault/core/rewrap.h"
#include "vault/daemon/vault.h"

namespace cardvault::daemon {

// One key at a time, on a thread of its own: small groups through the committer, at most
// [keys] rewrap_rows_per_s. What is not done when the vault stops, or is killed, is gone on with at
// its next start: the rows themselves say how far it came. While HSM or store are away it waits.
// Thread-safe.
class Rewrapper {
 public:
  struct Status {
    bool running = false;
    core::KeyPurpose purpose = core::KeyPurpose::kPanEnc;
    std::uint64_t done = 0, total = 0;  // rows; more may turn up while it runs
    std::string waits_for;              // what it waits for now; empty: nothing
    // Of the last one that ended: what to tell the operator, and the signed statements.
    std::vector<std::string> remarks;
    std::vector<std::string> statements;
    bool complete = false;  // no row is left under an earlier version
  };

  explicit Rewrapper(Vault& vault);
  ~Rewrapper();
  Rewrapper(const Rewrapper&) = delete;             // its thread holds its address
  Rewrapper& operator=(const Rewrapper&) = delete;  // its thread holds its address

  // Begins, with `begun` as its event; nothing happens when this purpose is being moved already.
  // kConflict while another one is; errors of the commit.
  [[nodiscard]] base::Result<void> start(core::KeyPurpose purpose, const core::Event& begun);
  // At start-up: goes on with what was not finished.
  void resume();
  [[nodiscard]] Status status() const;
  // Waits until it has ended, at most so long.
  void wait(std::chrono::milliseconds at_most);
  // Ends its thread, between two groups; called before the vault stops.
  void stop();

 private:
  struct Outcome {
    std::vector<core::KeyRef> emptied;  // versions that nothing stands under any more
    std::vector<std::string> remarks;
    std::uint64_t moved = 0;
    bool complete = false;
  };

  void run();
  [[nodiscard]] std::optional<Outcome> move_all(core::KeyPurpose purpose);
  // One pass over the rows under one version: how many it moved. nullopt: stopping.
  [[nodiscard]] std::optional<std::uint64_t> pass(core::KeyRef from,
                                                  std::vector<std::string>& damaged);
  [[nodiscard]] std::optional<core::RewrapSlice> next_slice(core::Reader& reader, core::KeyRef from,
                                                            core::RewrapPosition& position);
  [[nodiscard]] std::optional<std::uint32_t> commit(core::RewrapSlice& slice);
  [[nodiscard]] std::optional<core::KeyUse> use_of(core::KeyRef key);
  [[nodiscard]] std::optional<std::uint64_t> rows_left(core::KeyPurpose purpose);
  // Which versions nothing stands under any more, and what is left on the others. False: stopping.
  [[nodiscard]] bool find_emptied(core::KeyPurpose purpose, Outcome& outcome);
  void conclude(core::KeyPurpose purpose, Outcome outcome);
  // Both false: stopping.
  bool pause_for(const base::Error& error);
  bool sleep(std::chrono::microseconds time);
  [[nodiscard]] std::vector<core::KeyRef> earlier_versions(core::KeyPurpose purpose) const;

  Vault& vault_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Status status_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace cardvault::daemon
