// Questions about the vault and the caller, and requests that end in nothing but their event.
#pragma once

#include <string>

#include "vault/core/operation.h"

namespace cardvault::core {

// whoami: the caller's identity, permissions and what is left of its quotas.
class WhoamiOperation final : public Operation {
 public:
  WhoamiOperation(Services& services, Authorized<Whoami> request)
      : Operation(services), request_in_(std::move(request)) {}
  void prepare(Reader& /*reader*/) override {}
  [[nodiscard]] bool has_effect() const override { return false; }
  [[nodiscard]] base::Result<void> apply(Transaction& tx, EventSink& events) override;

 private:
  [[nodiscard]] Answer take_answer() override;
  Authorized<Whoami> request_in_;
};

// metrics, over mutual TLS.
class MetricsOperation final : public Operation {
 public:
  MetricsOperation(Services& services, Authorized<MetricsRead> request)
      : Operation(services), request_in_(std::move(request)) {}
  void prepare(Reader& /*reader*/) override {}
  [[nodiscard]] bool has_effect() const override { return false; }
  [[nodiscard]] base::Result<void> apply(Transaction& tx, EventSink& events) override;

 private:
  [[nodiscard]] Answer take_answer() override;
  Authorized<MetricsRead> request_in_;
};

// jwks: the public keys of seal-sign, for whoever opens what is sealed or checks a receipt.
class JwksOperation final : public Operation {
 public:
  JwksOperation(Services& services, Authorized<JwksRead> request)
      : Operation(services), request_in_(std::move(request)) {}
  void prepare(Reader& /*reader*/) override { keys_ = services_.sealer.jwks(); }
  [[nodiscard]] bool has_effect() const override { return false; }
  [[nodiscard]] base::Result<void> apply(Transaction& tx, EventSink& events) override;

 private:
  [[nodiscard]] Answer take_answer() override;
  Authorized<JwksRead> request_in_;
  base::Result<std::string> keys_;
};

// A refusal, by the policy or by a gate: recorded, then answered.
class RefusalOperation final : public Operation {
 public:
  // `actor`: "client:web", or "unknown" for a certificate that nobody is registered for.
  RefusalOperation(Services& services, Event what, Failure failure)
      : Operation(services), event_(std::move(what)), failure_(failure) {}
  void prepare(Reader& /*reader*/) override {}
  [[nodiscard]] bool has_effect() const override { return false; }
  [[nodiscard]] base::Result<void> apply(Transaction& tx, EventSink& events) override;

 private:
  [[nodiscard]] Answer take_answer() override { return failure_; }
  Event event_;
  Failure failure_;
};

}  // namespace cardvault::core
