// The vault's own CA for clients of banks that have none: its certificate, what it issues, and the
// file by which gates know both.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "vault/base/snapshot.h"
#include "vault/core/store.h"
#include "vault/pki/certificate_request.h"

namespace cardvault::daemon {

class Vault;

// How long a certificate is still good when doctor begins to ask for its renewal.
inline constexpr std::int64_t kRenewClient_ms = 7LL * 86'400 * 1000;
// A revocation list holds for 7 days (RFC 5280 5.1.2.5) and is made anew every day.
inline constexpr std::int64_t kListLife_ms = 7LL * 86'400 * 1000;
inline constexpr std::int64_t kListEvery_ms = 86'400LL * 1000;

// The name by which gates and the policy know an enrolled client that no other was registered for:
// "uri:urn:cardvault:client:ID". Gates take it from certificates of the vault's CA only.
[[nodiscard]] std::string enrolled_name(const std::string& client_id);

// Thread-safe; never on the committer's thread. Errors: those of core::Crypto and of commits.
class ClientCa {
 public:
  using Rows = std::vector<core::ClientCertificateRow>;
  struct Certificate {
    core::KeyRef key;
    pki::Der der;
    std::int64_t not_after_ms = 0;
  };
  struct Issued {
    core::ClientCertificateRow row;
    pki::Der der;
  };

  // REQUIRES: the vault's keys are loaded.
  explicit ClientCa(Vault& vault);

  // The active CA certificate. The first call makes, records and publishes it. kKeyMissing for a
  // vault without a client-ca key.
  [[nodiscard]] base::Result<Certificate> active();
  // Those that clients' certificates may be under: the active version's first, then earlier ones
  // that are not retired. Empty before the first was made.
  [[nodiscard]] base::Result<std::vector<Certificate>> all();
  // A certificate for the client's registered name and the request's key, signed, not recorded:
  // nobody may see it before its row is durable. kNotAllowed when it would outlast the CA's.
  [[nodiscard]] base::Result<Issued> issue(const core::Client& client,
                                           const pki::CertificateRequest& request,
                                           std::uint32_t days);
  // Rows were committed: reads them anew and writes the gates' file. On failure tick() goes on
  // trying.
  [[nodiscard]] base::Result<void> changed();
  // Once a second: the file when it is due.
  void tick();

  // The certificates issued, as last committed.
  [[nodiscard]] std::shared_ptr<const Rows> rows() const { return rows_.load(); }
  // Until when gates believe the list that this process published; 0: it has published none yet.
  [[nodiscard]] std::int64_t list_end_ms() const;
  // Whether the list was not renewed for two days, or the first one could not be published.
  [[nodiscard]] bool list_late(std::int64_t now_ms) const;

 private:
  [[nodiscard]] base::Result<std::optional<Certificate>> stored(core::KeyRef key);
  [[nodiscard]] base::Result<Certificate> make(core::KeyRef key);
  [[nodiscard]] base::Result<std::vector<Certificate>> all_locked();
  [[nodiscard]] base::Result<void> publish();
  [[nodiscard]] base::Result<void> reread();
  [[nodiscard]] bool due(std::int64_t now_ms) const;
  void forget_ended(std::int64_t now_ms);

  Vault& vault_;
  mutable std::mutex mutex_;
  base::Snapshot<Rows> rows_{std::make_shared<const Rows>()};
  std::int64_t looked_ms_ = 0;    // when everything was as it should be; 0: not by this process
  std::int64_t list_end_ms_ = 0;  // of what was published
  std::uint64_t generation_ = 0;  // of the keys, then
  bool waiting_ = false;          // something to publish failed
  unsigned pause_s_ = 0;          // before the next try
};

}  // namespace cardvault::daemon
