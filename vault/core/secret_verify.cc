#include "vault/core/secret_verify.h"

#include "vault/core/password_policy.h"
#include "vault/core/record.h"
#include "vault/core/secret_record.h"
#include "vault/core/subject.h"
#include "vault/core/text_form.h"

namespace cardvault::core {

using base::Code;
using base::fail;

Event SecretVerifyOperation::describe() const {
  Event e = event(principal(), "secret.verify");
  e.details.emplace_back("kind", secret_kind_name(request_in_.request().kind));
  if (customer_.row != 0) e.customer = to_hex(customer_.id);  // also of what prepare() refused
  return e;
}

base::Result<void> SecretVerifyOperation::make_ready(Reader& reader) {
  upgraded_.reset();
  const SecretVerify& request = request_in_.request();
  if (auto ok = check_subject(request.subject.expose()); !ok) return ok;
  if (auto ok = check_secret_form(request.secret.expose()); !ok) return ok;
  const auto name = name_fingerprints(services_, request.subject.expose());
  if (!name) return std::unexpected(name.error());
  // No cache: who was here lately would answer sooner.
  auto customer = find_customer(reader, *name);
  if (!customer) return std::unexpected(customer.error());
  customer_ = std::move(*customer);
  const GuardKey who = GuardKey::of(customer_);
  const auto guard = AttemptGuard::load(reader, who, secret_scope(request.kind),
                                        settings_->attempts, services_.clock.now_ms());
  if (!guard) return std::unexpected(guard.error());
  failure_ = guard->refusal();
  if (failure_) return {};
  auto row = reader.secret(who.subject, request.kind);
  if (!row) return std::unexpected(row.error());
  row_ = std::move(*row);
  const auto decoy = services_.decoy.get(services_, settings_->secrets);
  if (!decoy) return std::unexpected(decoy.error());
  return row_ ? derive(*row_, customer_.id) : derive(**decoy, InternalId{});
}

base::Result<void> SecretVerifyOperation::derive(const SecretRow& row, const InternalId& owner) {
  const std::string_view secret = request_in_.request().secret.expose();
  auto given = services_.passwords.derive(base::as_bytes(secret), row.salt, cost_of(row));
  if (!given) return std::unexpected(given.error());
  given_ = std::move(*given);
  auto kept = open_secret(services_, row, owner);
  if (!kept) return std::unexpected(kept.error());
  kept_ = std::move(*kept);
  // Whether the try is right is not known here, so that a wrong one costs the same.
  if (cost_of(row) == cost_of(settings_->secrets)) return {};
  auto made = make_secret(services_, settings_->secrets, row.kind, owner, secret);
  if (!made) return std::unexpected(made.error());
  made->subject = row.subject;
  made->created_ms = row.created_ms;
  made->changed_ms = row.changed_ms;
  upgraded_ = std::move(*made);
  return {};
}

// A salt is one row's own; a rewrap under another key version leaves it, and the output too.
bool SecretVerifyOperation::as_prepared(const std::optional<SecretRow>& now) const noexcept {
  if (!now || !row_) return now.has_value() == row_.has_value();
  return now->salt == row_->salt && cost_of(*now) == cost_of(*row_);
}

base::Result<void> SecretVerifyOperation::decide(Transaction& tx, Event& event) {
  const SecretKind kind = request_in_.request().kind;
  const std::int64_t now = services_.clock.now_ms();
  auto customer = current_customer(tx, customer_);
  if (!customer) return std::unexpected(customer.error());
  const GuardKey who = GuardKey::of(*customer);
  if (customer->row != 0) event.customer = to_hex(customer->id);
  auto row = tx.secret(who.subject, kind);
  if (!row) return std::unexpected(row.error());
  if (!as_prepared(*row)) return fail(Code::kConflict, "secret.verify");
  auto guard = AttemptGuard::load(tx, who, secret_scope(kind), settings_->attempts, now);
  if (!guard) return std::unexpected(guard.error());

  if (refused(*customer, *guard)) return {};
  const bool same = same_output(kept_, given_);
  if (!*row || !same) {
    return count_wrong(tx, *guard, event, *row ? "mismatch" : "not_enrolled");
  }
  event.key_version = (*row)->key_version;
  if (upgraded_) {
    if (auto ok = tx.put_secret(*upgraded_); !ok) return ok;
  }
  return count_right(tx, *guard, now);
}

void SecretVerifyOperation::claim(Claims& claims) const {
  const SecretVerify& request = request_in_.request();
  claims.text("sub", request.subject.expose());
  claims.text("purpose", secret_kind_name(request.kind));
}

}  // namespace cardvault::core
