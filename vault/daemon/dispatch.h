// Which operation answers which request.
#pragma once

#include <memory>

#include "vault/core/operation.h"
#include "vault/core/policy.h"

namespace cardvault::daemon {

// One overload for each request that a client may send. ReadyCheck, Refused and Flood have none:
// links and Engine::submit() answer them.
class MakeOperation {
 public:
  explicit MakeOperation(core::Services& services) : services_(services) {}
  using Made = std::unique_ptr<core::Operation>;

  [[nodiscard]] Made operator()(core::Authorized<core::Tokenize> request) const;
  [[nodiscard]] Made operator()(core::Authorized<core::Detokenize> request) const;
  [[nodiscard]] Made operator()(core::Authorized<core::CardsSearch> request) const;
  [[nodiscard]] Made operator()(core::Authorized<core::TokenGet> request) const;
  [[nodiscard]] Made operator()(core::Authorized<core::TokenDelete> request) const;
  [[nodiscard]] Made operator()(core::Authorized<core::TokenFreeze> request) const;
  [[nodiscard]] Made operator()(core::Authorized<core::OtpSeal> request) const;
  [[nodiscard]] Made operator()(core::Authorized<core::OtpVerify> request) const;
  [[nodiscard]] Made operator()(core::Authorized<core::OtpCancel> request) const;
  [[nodiscard]] Made operator()(core::Authorized<core::SecretEnroll> request) const;
  [[nodiscard]] Made operator()(core::Authorized<core::SecretVerify> request) const;
  [[nodiscard]] Made operator()(core::Authorized<core::SecretChange> request) const;
  [[nodiscard]] Made operator()(core::Authorized<core::SecretRemove> request) const;
  [[nodiscard]] Made operator()(core::Authorized<core::Whoami> request) const;
  [[nodiscard]] Made operator()(core::Authorized<core::JwksRead> request) const;
  [[nodiscard]] Made operator()(core::Authorized<core::MetricsRead> request) const;
  [[nodiscard]] Made operator()(core::Authorized<core::AuditRead> request) const;

 private:
  core::Services& services_;
};

}  // namespace cardvault::daemon
