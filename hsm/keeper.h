// Keeps a connection to the token: notices its loss, recovers it, watches for stuck calls.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <thread>

#include "hsm/catalogue.h"
#include "hsm/connection.h"
#include "hsm/redundancy.h"
#include "hsm/session_pool.h"
#include "hsm/token_crypto.h"

namespace cardvault::hsm {

// Thread-safe. Two threads of its own: recovery (also the probe and adopt()) and the watchdog.
class Keeper {
 public:
  // As TokenCrypto::open(), or, with `others`, as TokenCrypto::open_beside().
  Keeper(const TokenConfig& config, HsmHooks hooks, std::set<core::KeyRef> left_out,
         std::shared_ptr<Module> module, std::shared_ptr<Redundancy> others = {});
  ~Keeper();
  Keeper(const Keeper&) = delete;             // owns threads
  Keeper& operator=(const Keeper&) = delete;  // owns threads

  [[nodiscard]] SessionPool::Lease acquire() { return pool_.acquire(); }
  // Valid while a lease is held.
  [[nodiscard]] const Connection& connection() const noexcept { return *connection_; }
  // What a call that got no lease returns.
  [[nodiscard]] base::Error refusal() const;
  // Judges a call that failed, with its lease still held: returns the error to give to the caller.
  // It is an outage when the same work on known data fails too; else the data was at fault:
  // kRecordDamaged for a decryption, kInternal for the rest.
  [[nodiscard]] base::Error judge(Channel& channel, const RingKey* key, Connection::Work work,
                                  const base::Error& error);

  [[nodiscard]] base::Result<void> probe();
  [[nodiscard]] base::Result<void> adopt();
  [[nodiscard]] HsmState state() const noexcept { return state_.load(); }
  [[nodiscard]] base::Error cause() const;
  // As of TokenCrypto.
  [[nodiscard]] std::optional<core::KeyRef> misfit() const;
  // Whether the first login has succeeded or failed by `deadline`.
  [[nodiscard]] bool settled(std::chrono::steady_clock::time_point deadline) const;
  [[nodiscard]] std::optional<std::chrono::milliseconds> oldest_call_age() const;

  // As of TokenCrypto.
  void leave_out(std::set<core::KeyRef> keys);

  [[nodiscard]] Catalogue catalogue() const;
  // Of the catalogue, without a lock: asked with every encryption.
  [[nodiscard]] core::Suite suite() const noexcept { return suite_; }

 private:
  static constexpr base::Error kNoAnswer{base::Code::kHsmUnavailable, "no answer", 0};
  // What a token must prove beyond its self-test.
  enum class Proof : std::uint8_t {
    kNone,      // the first login of all
    kSameKeys,  // an exchanged token: no key is another one
    kAllKeys,   // a token that was away: all that are expected are there, and the same
  };
  // One of several tokens proves all at each login, but may lack signing keys: they can't be cloned
  // by wrapping.
  [[nodiscard]] base::Result<void> connect(Proof proof);
  [[nodiscard]] base::Result<void> log_in(Proof proof);
  // Compares the keys with what the others have closed, and adds to that.
  [[nodiscard]] base::Result<void> join();
  [[nodiscard]] base::Result<void> compare(const Catalogue& found, Proof proof);
  void enter(HsmState state);  // REQUIRES: under mutex_
  void lost(const base::Error& error);
  void begin(const std::stop_token& stop = {});
  void serve_adopt();
  bool reconnect();  // whether the token is ready now
  // After a login: opens the sessions, and notes in the event for how long they were closed.
  void serve_again(HsmEvent& event);  // REQUIRES: under mutex_
  void run(const std::stop_token& stop);
  void watch(const std::stop_token& stop);
  void look_after();
  // Whether a call that doesn't return is one of ours, and others serve meanwhile.
  [[nodiscard]] bool may_hang() const;
  void report(const HsmEvent& event) const;

  const TokenConfig config_;
  const HsmHooks hooks_;
  const TokenUri uri_;
  const base::SecretText pin_;  // kept: the pin-source may be out of reach once we are sandboxed
  const std::shared_ptr<Module> module_;
  const std::shared_ptr<Redundancy> others_;  // null: a token alone
  bool inside_ = false;                       // the module; with the next two: of the thread that
                                              // connects
  Witness witness_;
  std::unique_ptr<Connection> connection_;  // replaced only while the pool is drained
  SessionPool pool_;

  mutable std::mutex mutex_;
  mutable std::condition_variable_any changed_;
  std::atomic<HsmState> state_{HsmState::kUnavailable};  // written under mutex_
  base::Error cause_;
  std::optional<core::KeyRef> misfit_;
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
  std::set<core::KeyRef> left_out_;
  bool adopt_wanted_ = false;
  std::optional<base::Result<void>> adopted_;
  Catalogue catalogue_;
  std::atomic<core::Suite> suite_ = core::Suite::kAes256Gcm;
  std::atomic<std::chrono::steady_clock::time_point> connecting_since_{};  // zero: not connecting
  std::atomic<bool> probing_ = false;                                      // on the recovery thread
  std::atomic<bool> stopping_ = false;
  bool settled_ = false;
  bool hanging_ = false;   // a login or probe, while others serve
  bool reported_ = false;  // the outage that we are in

  std::jthread recovery_;
  std::jthread watchdog_;
};

}  // namespace cardvault::hsm
