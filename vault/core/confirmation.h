// Spending a verified code: the confirmation that a sealed reveal or a change of password demands.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "vault/core/services.h"
#include "vault/core/store.h"

namespace cardvault::core {

// A subject's verified code of one purpose, looked at in prepare() (its context is compared by a
// MAC of the HSM) and spent in apply(). One code is spent once: the second of two items of a batch
// finds none.
class Confirmation {
 public:
  // `subject` is CustomerRow::row, 0 for one that is not stored. A context given must be the one
  // the code was sealed with; without one any is taken. `context` must have passed check_context().
  // Errors: those of Reader and Crypto; that there is no fitting code is no error here.
  [[nodiscard]] static base::Result<Confirmation> find(
      Services& services, Reader& reader, std::int64_t subject, std::string_view purpose,
      const std::optional<PaymentContext>& context);

  // A hint for prepare(): whether spend() would find it now. Saves HSM work.
  [[nodiscard]] bool fits(std::int64_t now_ms) const noexcept;

  // First part of apply(), before anything is written or added: kConflict when another code has
  // taken the place of the one looked at, so that it must be looked at again. Else nothing.
  [[nodiscard]] base::Result<void> unchanged(Transaction& tx) const;

  // In apply(): kConfirmationRequired when there is no code that fits: not verified, too long ago,
  // another context, spent. That is an outcome: an operation answers it and doesn't return it from
  // apply(). Store errors besides.
  [[nodiscard]] base::Result<void> spendable(Transaction& tx, std::int64_t now_ms) const;

  // Spends the code: it is deleted with this transaction. The errors of spendable().
  [[nodiscard]] base::Result<void> spend(Transaction& tx, std::int64_t now_ms) const;

  // The code's id for the log, 32 hex digits; "" without one.
  [[nodiscard]] std::string code_id() const;

 private:
  [[nodiscard]] bool same_code(const std::optional<CodeRow>& row) const noexcept;

  std::int64_t subject_ = 0;
  std::string purpose_;
  std::optional<CodeRow> code_;
  bool context_fits_ = false;
};

}  // namespace cardvault::core
