// A file of the published log, for auditors and collectors.
#pragma once

#include <optional>

#include "vault/core/operation.h"

namespace cardvault::core {

// The first file of a session is an event, and what is refused always is; the rest of the session
// is covered by the first (reading_sessions.h), files that are not there included: a mirror may ask
// for a partial tile that has just given way to the full one.
class AuditReadOperation final : public Operation {
 public:
  AuditReadOperation(Services& services, Authorized<AuditRead> request)
      : Operation(services), request_in_(std::move(request)) {}
  void prepare(Reader& reader) override;
  [[nodiscard]] bool has_effect() const override { return false; }
  [[nodiscard]] base::Result<void> apply(Transaction& tx, EventSink& events) override;
  [[nodiscard]] std::optional<Receipt> covered() const override { return covered_; }

 private:
  [[nodiscard]] Answer take_answer() override;
  void covers(const Receipt& receipt) override;

  Authorized<AuditRead> request_in_;
  base::Result<AuditPiece> piece_;
  std::int64_t now_ms_ = 0;
  std::optional<Receipt> covered_;
};

}  // namespace cardvault::core
