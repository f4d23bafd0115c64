#include "vault/core/idempotent.h"

#include <algorithm>

#include "vault/core/index_fingerprints.h"
#include "vault/core/record.h"

namespace cardvault::core {

using base::Code;

namespace {

// A client may take a card number for a key, and can't be told from one that takes the time.
std::string named(const std::string& key) { return "idempotency-key:" + key; }

}  // namespace

base::Result<std::optional<IdempotencyRow>> Idempotent::find(Reader& reader,
                                                             const Kept& kept) const {
  auto row = reader.idempotency(client_, kept.key);
  if (!row || !*row) return row;
  const bool over = (*row)->created_ms + kIdempotencyMs <= services_.clock.now_ms();
  return over ? std::nullopt : std::move(row);
}

base::Result<std::optional<Answer>> Idempotent::look(Reader& reader, const std::string& client,
                                                     const std::string& key,
                                                     const base::SecretBuffer& bytes) {
  if (key.empty()) return std::nullopt;
  if (!hold_) {
    auto hold = services_.idempotency.take(client, key);
    if (!hold) return base::fail(Code::kIdempotencyRunning, "idempotent.look");
    hold_ = std::move(hold);
  }
  const auto bodies = name_fingerprints(services_, base::as_text(bytes));
  if (!bodies) return std::unexpected(bodies.error());
  const auto keys = name_fingerprints(services_, named(key));
  if (!keys) return std::unexpected(keys.error());
  client_ = client;
  kept_.clear();
  kept_.push_back({fingerprint_text(keys->active, keys->version), bodies->active, keys->version});
  for (std::size_t i = 0; i < std::min(keys->earlier.size(), bodies->earlier.size()); ++i) {
    const auto& [version, fp] = keys->earlier[i];
    kept_.push_back({fingerprint_text(fp, version), bodies->earlier[i].fp, version});
  }
  for (const Kept& kept : kept_) {
    auto row = find(reader, kept);
    if (!row) return std::unexpected(row.error());
    if (!*row) continue;
    if ((*row)->body_fp != kept.body_fp) {
      return base::fail(Code::kIdempotencyMismatch, "idempotent.look");
    }
    auto answer = services_.codec.read_answer((*row)->answer);
    if (!answer) return std::unexpected(answer.error());
    return std::move(*answer);
  }
  return std::nullopt;
}

base::Result<void> Idempotent::still_first(Transaction& tx) const {
  for (const Kept& kept : kept_) {
    auto row = find(tx, kept);
    if (!row) return std::unexpected(row.error());
    if (*row) return base::fail(Code::kConflict, "idempotent.still_first");
  }
  return {};
}

base::Result<void> Idempotent::keep(Transaction& tx, const Answer& answer) const {
  if (kept_.empty()) return {};
  const Kept& kept = kept_.front();
  return tx.put_idempotency(client_, kept.key,
                            {kept.body_fp, kept.fp_version, services_.codec.answer_bytes(answer),
                             services_.clock.now_ms()});
}

}  // namespace cardvault::core
