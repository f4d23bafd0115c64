// Who may do what. Only the policy makes an Authorized<T>, and operations take nothing else.
#pragma once

#include <expected>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "vault/base/result.h"
#include "vault/base/snapshot.h"
#include "vault/core/identity.h"
#include "vault/core/request.h"

namespace cardvault::core {

// A caller whom the vault knows, as this gate may present it: permissions are the client's, cut to
// the gate's ceiling.
struct Principal {
  std::shared_ptr<const Client> client;
  Permissions permissions;
  std::string gate;
  std::string source;

  [[nodiscard]] const std::string& id() const noexcept { return client->id; }
  [[nodiscard]] bool may_reveal_for(std::string_view purpose) const;
};

// A request that passed the policy.
template <class T>
class Authorized {
 public:
  Authorized(Authorized&&) noexcept = default;
  Authorized& operator=(Authorized&&) noexcept = default;
  Authorized(const Authorized&) = delete;             // requests hold secrets
  Authorized& operator=(const Authorized&) = delete;  // requests hold secrets
  ~Authorized() = default;

  [[nodiscard]] const T& request() const noexcept { return request_; }
  [[nodiscard]] const Principal& principal() const noexcept { return principal_; }

 private:
  friend class Policy;
  Authorized(Principal principal, T request)
      : principal_(std::move(principal)), request_(std::move(request)) {}
  Principal principal_;
  T request_;
};

// The registered clients, in memory: an image of the store's table. Thread-safe.
class ClientDirectory {
 public:
  void load(std::vector<Client> clients);
  void put(const Client& client);
  [[nodiscard]] std::shared_ptr<const Client> by_id(std::string_view id) const;
  // By SPKI pin first, then by SAN; null when nobody is registered for this certificate.
  [[nodiscard]] std::shared_ptr<const Client> by_caller(const Caller& caller) const;
  [[nodiscard]] std::vector<std::shared_ptr<const Client>> all() const;

 private:
  struct Image {
    std::unordered_map<std::string, std::shared_ptr<const Client>> by_id, by_pin, by_san;
  };
  void rebuild_locked(std::unordered_map<std::string, std::shared_ptr<const Client>> by_id);
  mutable std::mutex mutex_;  // writers
  base::Snapshot<Image> image_{std::make_shared<const Image>()};
};

// Stateless but for the directory; thread-safe.
class Policy {
 public:
  explicit Policy(const ClientDirectory& clients) : clients_(clients) {}

  // kClientUnknown, kClientRevoked, kClientFrozen; kPermissionDenied for a client that this gate
  // may never present, whoever it says it is.
  [[nodiscard]] base::Result<Principal> identify(const Caller& caller,
                                                 const Ceiling& ceiling) const;

  // kPermissionDenied, kPurposeDenied; of a batch with the item. (kTokenizeAnonymous is asked per
  // item, by the operation.)
  template <class T>
  [[nodiscard]] std::expected<Authorized<T>, Failure> authorize(Principal principal,
                                                                T request) const {
    if (auto allowed = check(principal, request); !allowed) return std::unexpected(allowed.error());
    return Authorized<T>(std::move(principal), std::move(request));
  }

 private:
  using Verdict = std::expected<void, Failure>;
  [[nodiscard]] static Verdict check(const Principal& p, const Tokenize& request);
  [[nodiscard]] static Verdict check(const Principal& p, const Detokenize& request);
  [[nodiscard]] static Verdict check(const Principal& p, const CardsSearch& request);
  [[nodiscard]] static Verdict check(const Principal& p, const TokenGet& request);
  [[nodiscard]] static Verdict check(const Principal& p, const TokenDelete& request);
  [[nodiscard]] static Verdict check(const Principal& p, const TokenFreeze& request);
  [[nodiscard]] static Verdict check(const Principal& p, const Whoami& request);
  [[nodiscard]] static Verdict check(const Principal& p, const MetricsRead& request);
  [[nodiscard]] static Verdict check(const Principal& p, const OtpSeal& request);
  [[nodiscard]] static Verdict check(const Principal& p, const OtpVerify& request);
  [[nodiscard]] static Verdict check(const Principal& p, const OtpCancel& request);
  [[nodiscard]] static Verdict check(const Principal& p, const SecretEnroll& request);
  [[nodiscard]] static Verdict check(const Principal& p, const SecretVerify& request);
  [[nodiscard]] static Verdict check(const Principal& p, const SecretChange& request);
  [[nodiscard]] static Verdict check(const Principal& p, const SecretRemove& request);
  [[nodiscard]] static Verdict check(const Principal& p, const JwksRead& request);
  [[nodiscard]] static Verdict check(const Principal& p, const AuditRead& request);
  const ClientDirectory& clients_;
};

}  // namespace cardvault::core
