#include "vault/core/idempotent.h"

#include "vault/core/record.h"

namespace cardvault::core {

using base::Code;

base::Result<std::optional<Answer>> Idempotent::look(Reader& reader, const std::string& client,
                                                     const std::string& key,
                                                     const base::SecretBuffer& bytes) {
  if (key.empty()) return std::nullopt;
  if (!hold_) {
    auto hold = services_.idempotency.take(client, key);
    if (!hold) return base::fail(Code::kIdempotencyRunning, "idempotent.look");
    hold_ = std::move(hold);
  }
  fp_version_ = services_.keys.get(KeyPurpose::kIdIndex).version;
  auto fp = name_fingerprint(services_, base::as_text(bytes));
  if (!fp) return std::unexpected(fp.error());
  body_fp_ = *fp;
  // A client may take a card number for a key, and can't be told from one that takes the time.
  fp = name_fingerprint(services_, "idempotency-key:" + key);
  if (!fp) return std::unexpected(fp.error());
  client_ = client;
  key_ = fingerprint_text(*fp, fp_version_);

  auto row = reader.idempotency(client_, key_);
  if (!row) return std::unexpected(row.error());
  if (!*row || (*row)->created_ms + kIdempotencyMs <= services_.clock.now_ms()) return std::nullopt;
  if ((*row)->body_fp != body_fp_) {
    return base::fail(Code::kIdempotencyMismatch, "idempotent.look");
  }
  auto answer = services_.codec.read_answer((*row)->answer);
  if (!answer) return std::unexpected(answer.error());
  return std::move(*answer);
}

base::Result<void> Idempotent::still_first(Transaction& tx) const {
  if (key_.empty()) return {};
  auto row = tx.idempotency(client_, key_);
  if (!row) return std::unexpected(row.error());
  if (!*row || (*row)->created_ms + kIdempotencyMs <= services_.clock.now_ms()) return {};
  return base::fail(Code::kConflict, "idempotent.still_first");
}

base::Result<void> Idempotent::keep(Transaction& tx, const Answer& answer) const {
  if (key_.empty()) return {};
  return tx.put_idempotency(
      client_, key_,
      {body_fp_, fp_version_, services_.codec.answer_bytes(answer), services_.clock.now_ms()});
}

}  // namespace cardvault::core
