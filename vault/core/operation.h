// One authorized request on its way: prepared on a worker, decided in the committer's transaction,
// answered with the receipt of its durable events.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "vault/base/result.h"
#include "vault/core/event.h"
#include "vault/core/response.h"
#include "vault/core/services.h"
#include "vault/core/store.h"

namespace cardvault::core {

// Thread rules: prepare() on one worker, then apply() and done() on the committer; never two at
// once.
class Operation : public Commit {
 public:
  using Respond = std::move_only_function<void(Response)>;
  using Retry = std::function<void(std::unique_ptr<Operation>)>;

  // Parses, looks up and calls the HSM. Failures become outcomes that apply() records: a request is
  // never without its event. `reader` sees everything that was acknowledged before the request
  // came.
  virtual void prepare(Reader& reader) = 0;

  // True: prepare() takes so long (Argon2id) that it runs on workers of its own.
  [[nodiscard]] virtual bool slow() const { return false; }

  // On a worker, after the events are durable, when finishes() said so: what only a known outcome
  // may cost (a signed receipt), so that the time before it tells nothing.
  [[nodiscard]] bool awaits_finish() const noexcept { return receipt_.has_value(); }
  void finish_and_respond();

  // After prepare(): the receipt of an earlier event that covers this request too, which then has
  // none of its own and changes nothing.
  [[nodiscard]] virtual std::optional<Receipt> covered() const { return std::nullopt; }
  void respond_under(const Receipt& receipt) { respond_(Response::with(receipt, take_answer())); }

  // Set once, before prepare: where the answer goes, and who prepares again after a conflict.
  void bind(std::uint64_t request, Respond respond, Retry retry) {
    request_ = request;
    respond_ = std::move(respond);
    retry_ = std::move(retry);
  }

  void done(base::Result<Receipt> receipt, std::unique_ptr<Commit> self) final;
  // Ends the operation without events: the vault can't take it (stopping, queue full, store down).
  void abandon(Failure failure);

 protected:
  explicit Operation(Services& services) : services_(services) {}
  // The answer, once the events are durable. Called at most once.
  [[nodiscard]] virtual Answer take_answer() = 0;
  [[nodiscard]] virtual bool finishes() const { return false; }
  virtual void finish() {}
  // Effects on memory that may only follow durability (a client frozen in the directory).
  virtual void committed() {}
  // The same for an operation whose event is to cover later requests too.
  virtual void covers(const Receipt& /*receipt*/) {}

  // An operation that writes what it prepared with the vault's keys calls the first at the start of
  // prepare() and the second in apply(), before anything is written: kConflict when another version
  // of some key has become active since, so that it prepares again and nothing is ever written
  // under a key that is not in use any more.
  void note_keys() noexcept { keys_ = services_.keys.generation(); }
  [[nodiscard]] base::Result<void> keys_unchanged() const noexcept;

  // An event with the fields that all of this request's events share.
  [[nodiscard]] Event event(const Principal& principal, std::string operation) const;

  Services& services_;
  std::uint64_t request_ = 0;

 private:
  Respond respond_;
  Retry retry_;
  int tries_ = 0;
  std::uint64_t keys_ = 0;
  std::optional<Receipt> receipt_;  // while it awaits its finish
};

// Seconds that a client should wait before it repeats a request that failed with `code`; 0 where
// repeating is no use.
[[nodiscard]] std::uint32_t retry_after_s(base::Code code) noexcept;

// A failure with its usual Retry-After; for kRateLimited the seconds are the error's number.
[[nodiscard]] Failure failure_of(const base::Error& error) noexcept;

// True for failures of the vault itself: not the caller's doing, worth a repeat, never kept as the
// answer to an Idempotency-Key.
[[nodiscard]] bool is_vault_failure(base::Code code) noexcept;

}  // namespace cardvault::core
