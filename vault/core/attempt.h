// A try at a code or a secret: what otp.verify and secret.verify share.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "vault/core/attempt_guard.h"
#include "vault/core/claims.h"
#include "vault/core/operation.h"

namespace cardvault::core {

// Counted before anything can be seen of the answer: prepare() does the same work whoever the
// subject is and whatever is known of it; apply() counts, compares and consumes, alone, so a
// hundred parallel right tries of a code are one success, and a hundred wrong ones lock at the
// limit. The receipt is signed in finish(), once the outcome is durable: the time before tells
// nothing.
class AttemptOperation : public Operation {
 public:
  void prepare(Reader& reader) final;
  [[nodiscard]] bool has_effect() const final { return !failure_; }
  [[nodiscard]] base::Result<void> apply(Transaction& tx, EventSink& events) final;

 protected:
  using Operation::Operation;

  [[nodiscard]] virtual const Principal& principal() const = 0;
  // The try's event, before anything is known of how it ends.
  [[nodiscard]] virtual Event describe() const = 0;
  // Of prepare(), with settings_ loaded. An error, or failure_, is the outcome.
  [[nodiscard]] virtual base::Result<void> make_ready(Reader& reader) = 0;
  // Reads first, then writes: a conflict or a damaged row leaves nothing behind.
  [[nodiscard]] virtual base::Result<void> decide(Transaction& tx, Event& event) = 0;
  // What the receipt says beside its times.
  virtual void claim(Claims& claims) const = 0;

  // For decide(), in this order. The first: whether the try is refused unseen, as failure_ says.
  [[nodiscard]] bool refused(const CustomerRow& customer, const AttemptGuard& guard);
  // `reason` is for the log alone.
  [[nodiscard]] base::Result<void> count_wrong(Transaction& tx, AttemptGuard& guard, Event& event,
                                               std::string_view reason);
  [[nodiscard]] base::Result<void> count_right(Transaction& tx, AttemptGuard& guard,
                                               std::int64_t now_ms);

  std::shared_ptr<const Settings> settings_;
  std::optional<Failure> failure_;

 private:
  [[nodiscard]] bool finishes() const final { return verified_ms_.has_value(); }
  void finish() final;
  [[nodiscard]] base::Result<std::string> sign_receipt();
  void committed() final;
  [[nodiscard]] Answer take_answer() final;

  std::optional<std::int64_t> verified_ms_;  // when the try was right
  std::string_view alarm_;
  std::string receipt_;
};

}  // namespace cardvault::core
