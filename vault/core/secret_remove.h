// secret.remove: a subject gives up a password or quick code.
#pragma once

#include <memory>
#include <optional>

#include "vault/core/confirmation.h"
#include "vault/core/operation.h"

namespace cardvault::core {

// Spends a verified code as a change does: removing and enrolling again would else be a change
// without one.
class SecretRemoveOperation final : public Operation {
 public:
  SecretRemoveOperation(Services& services, Authorized<SecretRemove> request);

  void prepare(Reader& reader) override;
  [[nodiscard]] bool has_effect() const override { return !failure_; }
  [[nodiscard]] base::Result<void> apply(Transaction& tx, EventSink& events) override;

 private:
  [[nodiscard]] base::Result<void> make_ready(Reader& reader);
  [[nodiscard]] base::Result<void> decide(Transaction& tx, Event& event);
  [[nodiscard]] Answer take_answer() override;

  Authorized<SecretRemove> request_in_;
  CustomerRow customer_;
  std::optional<Confirmation> confirmation_;
  std::optional<Failure> failure_;
};

}  // namespace cardvault::core
