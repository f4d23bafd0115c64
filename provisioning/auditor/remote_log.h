// A published log behind a vault's auditors' gate.
#pragma once

#include <chrono>
#include <string>

#include "protocol/client/client.h"
#include "vault/audit/tile_reader.h"

namespace cardvault::auditor {

// No vault answers now: nothing has to be done about it on this machine.
struct Unreachable final : base::StartupError {
  using StartupError::StartupError;
};

// An outage, which passes by itself.
[[nodiscard]] bool passes(base::Code code);

// One connection, opened as needed. Belongs to one thread.
class RemoteLog {
 public:
  // `url`: of the gate, "https://host:port". Throws StartupError: a wrong URL, a name without an
  // address, a file that is no certificate or key. Unreachable: no name server answers.
  RemoteLog(const std::string& url, const client::Credentials& credentials);

  // A file of the log. What a restart or an outage keeps from being answered is asked for again for
  // a while. kVaultUnavailable: the vault can't be reached; kInternal: it can't read its own files,
  // or answers what it should not; kPermissionDenied: it does not let this
  // certificate read the log; kCertificateExpired, kClientRevoked, kClientUnknown, kClientFrozen:
  // what it says of the certificate, or of its client; kNotAllowed: who answers is not the gate
  // that the CA vouches for; its other refusals.
  [[nodiscard]] audit::ReadFile files();

 private:
  [[nodiscard]] base::Result<std::optional<std::string>> get(const std::string& path);
  [[nodiscard]] base::Result<std::optional<std::string>> try_once(const std::string& path,
                                                                  std::chrono::milliseconds& pause);

  client::TlsContext context_;
  client::Endpoint endpoint_;
  client::Client client_;
};

}  // namespace cardvault::auditor
