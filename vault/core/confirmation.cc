#include "vault/core/confirmation.h"

#include "vault/core/otp_code.h"
#include "vault/core/payment_context.h"
#include "vault/core/text_form.h"

namespace cardvault::core {

using base::Code;

namespace {

bool can_be_spent(const CodeRow& row, std::int64_t now_ms) {
  return row.state == CodeState::kVerified && row.expires_ms > now_ms;
}

}  // namespace

base::Result<Confirmation> Confirmation::find(Services& services, Reader& reader,
                                              std::int64_t subject, std::string_view purpose,
                                              const std::optional<PaymentContext>& context) {
  Confirmation found;
  found.subject_ = subject;
  found.purpose_ = purpose;
  if (subject == 0) return found;
  auto row = reader.code(subject, purpose);
  if (!row) return std::unexpected(row.error());
  found.code_ = std::move(*row);
  if (!found.code_) return found;
  found.context_fits_ = true;
  if (context) {
    auto mac = context_mac(services, found.code_->key_version, found.code_->id,
                           canonical_context(context));
    if (!mac) return std::unexpected(mac.error());
    found.context_fits_ = equal_macs(*mac, found.code_->context_mac);
  }
  return found;
}

bool Confirmation::same_code(const std::optional<CodeRow>& row) const noexcept {
  return row && code_ && row->id == code_->id;
}

bool Confirmation::fits(std::int64_t now_ms) const noexcept {
  return code_ && context_fits_ && can_be_spent(*code_, now_ms);
}

base::Result<void> Confirmation::unchanged(Transaction& tx) const {
  if (subject_ == 0) return {};
  auto row = tx.code(subject_, purpose_);
  if (!row) return std::unexpected(row.error());
  if (!*row || same_code(*row)) return {};
  return base::fail(Code::kConflict, "confirmation.unchanged");
}

base::Result<void> Confirmation::spendable(Transaction& tx, std::int64_t now_ms) const {
  if (subject_ != 0 && context_fits_) {
    auto row = tx.code(subject_, purpose_);
    if (!row) return std::unexpected(row.error());
    if (same_code(*row) && can_be_spent(**row, now_ms)) return {};
  }
  return base::fail(Code::kConfirmationRequired, "confirmation.spend");
}

base::Result<void> Confirmation::spend(Transaction& tx, std::int64_t now_ms) const {
  if (auto ok = spendable(tx, now_ms); !ok) return ok;
  return tx.delete_code(subject_, purpose_);
}

std::string Confirmation::code_id() const { return code_ ? to_hex(code_->id) : std::string(); }

}  // namespace cardvault::core
