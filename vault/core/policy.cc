#include "vault/core/policy.h"

#include <algorithm>

#include "vault/core/text_form.h"

namespace cardvault::core {

using base::Code;

bool Principal::may_reveal_for(std::string_view purpose) const {
  if (!valid_client_id(purpose)) return false;  // the same form: a name, not free text
  return std::ranges::any_of(client->purposes,
                             [&](const std::string& p) { return p == "*" || p == purpose; });
}

void ClientDirectory::rebuild_locked(
    std::unordered_map<std::string, std::shared_ptr<const Client>> by_id) {
  auto image = std::make_shared<Image>();
  for (const auto& [id, client] : by_id) {
    if (!client->spki_sha256.empty()) image->by_pin[client->spki_sha256] = client;
    if (!client->san.empty()) image->by_san[client->san] = client;
  }
  image->by_id = std::move(by_id);
  image_.store(std::move(image));
}

void ClientDirectory::load(std::vector<Client> clients) {
  const std::scoped_lock lock(mutex_);
  std::unordered_map<std::string, std::shared_ptr<const Client>> by_id;
  for (Client& client : clients) {
    const std::string id = client.id;
    by_id[id] = std::make_shared<const Client>(std::move(client));
  }
  rebuild_locked(std::move(by_id));
}

void ClientDirectory::put(const Client& client) {
  const std::scoped_lock lock(mutex_);
  auto by_id = image_.load()->by_id;
  by_id[client.id] = std::make_shared<const Client>(client);
  rebuild_locked(std::move(by_id));
}

std::shared_ptr<const Client> ClientDirectory::by_id(std::string_view id) const {
  const auto image = image_.load();
  const auto at = image->by_id.find(std::string(id));
  return at == image->by_id.end() ? nullptr : at->second;
}

std::shared_ptr<const Client> ClientDirectory::by_caller(const Caller& caller) const {
  const auto image = image_.load();
  if (const auto at = image->by_pin.find(to_hex(caller.spki_sha256)); at != image->by_pin.end()) {
    return at->second;
  }
  for (const std::string& san : caller.sans) {
    // A client pinned to one key isn't found by a name that another certificate carries.
    const auto at = image->by_san.find(san);
    if (at != image->by_san.end() && at->second->spki_sha256.empty()) return at->second;
  }
  return nullptr;
}

std::vector<std::shared_ptr<const Client>> ClientDirectory::all() const {
  std::vector<std::shared_ptr<const Client>> clients;
  for (const auto image = image_.load(); const auto& [id, client] : image->by_id) {
    clients.push_back(client);
  }
  std::ranges::sort(clients, {}, [](const auto& c) { return c->id; });
  return clients;
}

base::Result<Principal> Policy::identify(const Caller& caller, const Ceiling& ceiling) const {
  auto client = clients_.by_caller(caller);
  if (!client) return base::fail(Code::kClientUnknown, "policy.identify");
  const bool presentable = std::ranges::any_of(
      ceiling.clients, [&](const std::string& id) { return id == "*" || id == client->id; });
  if (!presentable) return base::fail(Code::kPermissionDenied, "policy.ceiling");
  if (client->revoked) return base::fail(Code::kClientRevoked, "policy.identify");
  if (client->frozen) return base::fail(Code::kClientFrozen, "policy.identify");
  const Permissions permissions = client->permissions & ceiling.permissions;
  return Principal{std::move(client), permissions, ceiling.gate, caller.source};
}

namespace {

std::expected<void, Failure> require(const Principal& principal, Permission permission) {
  if (principal.permissions.has(permission)) return {};
  return std::unexpected(Failure{Code::kPermissionDenied});
}

std::expected<void, Failure> check_item(const Principal& p, const DetokenizeItem& item) {
  if (item.mask) return require(p, Permission::kCardsRead);
  const Permission needed =
      item.recipient.empty() ? Permission::kDetokenize : Permission::kDetokenizeSealed;
  if (auto allowed = require(p, needed); !allowed) return allowed;
  if (!p.may_reveal_for(item.purpose)) return std::unexpected(Failure{Code::kPurposeDenied});
  return {};
}

}  // namespace

Policy::Verdict Policy::check(const Principal& p, const Tokenize& /*request*/) {
  return require(p, Permission::kTokenize);
}

Policy::Verdict Policy::check(const Principal& p, const Detokenize& request) {
  for (std::size_t i = 0; i < request.items.size(); ++i) {
    auto allowed = check_item(p, request.items[i]);
    if (allowed) continue;
    if (request.batch) allowed.error().item = static_cast<std::int32_t>(i);
    return allowed;
  }
  return {};
}

Policy::Verdict Policy::check(const Principal& p, const CardsSearch& /*request*/) {
  return require(p, Permission::kCardsRead);
}
Policy::Verdict Policy::check(const Principal& p, const TokenGet& /*request*/) {
  return require(p, Permission::kCardsRead);
}
Policy::Verdict Policy::check(const Principal& p, const TokenDelete& /*request*/) {
  return require(p, Permission::kCardsManage);
}
Policy::Verdict Policy::check(const Principal& p, const TokenFreeze& /*request*/) {
  return require(p, Permission::kCardsManage);
}
Policy::Verdict Policy::check(const Principal& /*p*/, const Whoami& /*request*/) { return {}; }
Policy::Verdict Policy::check(const Principal& p, const MetricsRead& /*request*/) {
  return require(p, Permission::kMetricsRead);
}
Policy::Verdict Policy::check(const Principal& p, const OtpSeal& request) {
  if (auto allowed = require(p, Permission::kOtpSeal); !allowed) return allowed;
  return request.clear ? require(p, Permission::kOtpClear) : Verdict();
}
Policy::Verdict Policy::check(const Principal& p, const OtpVerify& /*request*/) {
  return require(p, Permission::kOtpVerify);
}
Policy::Verdict Policy::check(const Principal& p, const OtpCancel& /*request*/) {
  return require(p, Permission::kOtpSeal);
}
Policy::Verdict Policy::check(const Principal& p, const SecretEnroll& /*request*/) {
  return require(p, Permission::kSecretsManage);
}
Policy::Verdict Policy::check(const Principal& p, const SecretVerify& /*request*/) {
  return require(p, Permission::kSecretsVerify);
}
Policy::Verdict Policy::check(const Principal& p, const SecretChange& /*request*/) {
  return require(p, Permission::kSecretsManage);
}
Policy::Verdict Policy::check(const Principal& p, const SecretRemove& /*request*/) {
  return require(p, Permission::kSecretsManage);
}
Policy::Verdict Policy::check(const Principal& /*p*/, const JwksRead& /*request*/) { return {}; }
Policy::Verdict Policy::check(const Principal& p, const AuditRead& /*request*/) {
  return require(p, Permission::kAuditRead);
}

}  // namespace cardvault::core
