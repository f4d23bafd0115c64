#include "hsm/token_crypto.h"

#include "hsm/error.h"
#include "hsm/keeper.h"

namespace cardvault::hsm {

using base::Code;
using Work = Connection::Work;

class TokenCrypto::Impl {
 public:
  Impl(const TokenConfig& config, HsmHooks hooks, std::set<core::KeyRef> left_out,
       std::shared_ptr<Module> module, std::shared_ptr<Redundancy> others)
      : keeper(config, std::move(hooks), std::move(left_out), std::move(module),
               std::move(others)) {}

  // Leases a session, finds the key, runs `operation(connection, channel, key)`, once more when it
  // may be a passing fault, and judges a failure. `usable` says whether a key is of the kind the
  // operation takes.
  template <class Operation>
  auto call(core::KeyRef ref, bool usable, Work work, Operation operation)
      -> decltype(operation(std::declval<const Connection&>(), std::declval<Channel&>(),
                            std::declval<const RingKey&>())) {
    if (!usable) return base::fail(Code::kKeyMissing, "a key of another kind");
    const auto lease = keeper.acquire();
    if (!lease) return std::unexpected(keeper.refusal());
    const Connection& connection = keeper.connection();
    const RingKey* key = connection.keys().get(ref);
    if (key == nullptr) return base::fail(Code::kKeyMissing, "find key");
    auto result = operation(connection, lease.channel(), *key);
    if (!result && may_pass(result.error())) result = operation(connection, lease.channel(), *key);
    if (!result) {
      return std::unexpected(keeper.judge(lease.channel(), key, work, result.error()));
    }
    return result;
  }

  Keeper keeper;
};

TokenCrypto::TokenCrypto(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TokenCrypto::~TokenCrypto() = default;

std::unique_ptr<TokenCrypto> TokenCrypto::open(const TokenConfig& config, HsmHooks hooks,
                                               std::set<core::KeyRef> left_out) {
  return open_beside(config, std::move(hooks), std::move(left_out),
                     std::make_shared<Module>(config), nullptr);
}

std::unique_ptr<TokenCrypto> TokenCrypto::open_beside(const TokenConfig& config, HsmHooks hooks,
                                                      std::set<core::KeyRef> left_out,
                                                      std::shared_ptr<Module> module,
                                                      std::shared_ptr<Redundancy> others) {
  return std::unique_ptr<TokenCrypto>(new TokenCrypto(std::make_unique<Impl>(
      config, std::move(hooks), std::move(left_out), std::move(module), std::move(others))));
}

base::Result<core::Mac> TokenCrypto::mac(core::KeyRef key, std::span<const std::uint8_t> data) {
  const bool usable = !is_encryption(key.purpose) && !is_signature(key.purpose);
  return impl_->call(key, usable, Work::kMac,
                     [&](const Connection&, const Channel& channel, const RingKey& found) {
                       return hmac_sha256(channel, found.working, data);
                     });
}

base::Result<core::Sealed> TokenCrypto::encrypt(core::KeyRef key,
                                                std::span<const std::uint8_t> plaintext,
                                                std::span<const std::uint8_t> aad) {
  if (plaintext.empty() || plaintext.size() > kMaxPlaintext) {
    return base::fail(Code::kInternal, "plaintext length");
  }
  return impl_->call(key, is_encryption(key.purpose), Work::kEncrypt,
                     [&](const Connection& connection, Channel& channel, const RingKey& found) {
                       return connection.encrypt(channel, found, plaintext, aad);
                     });
}

base::Result<base::SecretBuffer> TokenCrypto::decrypt(core::KeyRef key, const core::Sealed& sealed,
                                                      std::span<const std::uint8_t> aad) {
  return impl_->call(
      key, is_encryption(key.purpose), Work::kDecrypt,
      [&](const Connection& connection, const Channel& channel, const RingKey& found) {
        return connection.decrypt(channel, found, Connection::On::kWorking, sealed, aad);
      });
}

base::Result<void> TokenCrypto::random(std::span<std::uint8_t> out) {
  const auto lease = impl_->keeper.acquire();
  if (!lease) return std::unexpected(impl_->keeper.refusal());
  auto filled = random_bytes(lease.channel(), out);
  if (!filled && may_pass(filled.error())) filled = random_bytes(lease.channel(), out);
  if (filled) return filled;
  return std::unexpected(
      impl_->keeper.judge(lease.channel(), nullptr, Work::kRandom, filled.error()));
}

base::Result<std::vector<std::uint8_t>> TokenCrypto::sign(core::KeyRef key,
                                                          std::span<const std::uint8_t> data) {
  return impl_->call(key, is_signature(key.purpose), Work::kSign,
                     [&](const Connection&, const Channel& channel, const RingKey& found) {
                       return Connection::sign(channel, found, data);
                     });
}

base::Result<void> TokenCrypto::probe() { return impl_->keeper.probe(); }
base::Result<void> TokenCrypto::adopt() { return impl_->keeper.adopt(); }
void TokenCrypto::leave_out(std::set<core::KeyRef> keys) {
  impl_->keeper.leave_out(std::move(keys));
}
HsmState TokenCrypto::state() const noexcept { return impl_->keeper.state(); }
base::Error TokenCrypto::cause() const { return impl_->keeper.cause(); }
std::optional<core::KeyRef> TokenCrypto::misfit() const { return impl_->keeper.misfit(); }
bool TokenCrypto::settled(std::chrono::steady_clock::time_point deadline) const {
  return impl_->keeper.settled(deadline);
}
std::optional<std::chrono::milliseconds> TokenCrypto::oldest_call_age() const {
  return impl_->keeper.oldest_call_age();
}

std::vector<core::KeyRef> TokenCrypto::keys() const {
  std::vector<core::KeyRef> out;
  for (const auto& [ref, ignored] : impl_->keeper.catalogue().keys) out.push_back(ref);
  return out;
}

std::optional<std::uint32_t> TokenCrypto::newest(core::KeyPurpose purpose) const {
  std::optional<std::uint32_t> out;
  for (const core::KeyRef& ref : keys()) {
    if (ref.purpose == purpose) out = ref.version;  // ascending
  }
  return out;
}

base::Result<core::SigningPublicKey> TokenCrypto::public_key(core::KeyRef key) const {
  const auto catalogue = impl_->keeper.catalogue();
  const auto found = catalogue.keys.find(key);
  if (found == catalogue.keys.end() || found->second.point.empty()) {
    return base::fail(Code::kKeyMissing, "public key");
  }
  return found->second;
}

std::string TokenCrypto::kcv(core::KeyRef key) const {
  const auto catalogue = impl_->keeper.catalogue();
  const auto found = catalogue.kcvs.find(key);
  return found == catalogue.kcvs.end() ? std::string() : found->second;
}

core::Suite TokenCrypto::suite(core::KeyRef /*key*/) const { return impl_->keeper.suite(); }
TokenDescription TokenCrypto::description() const { return impl_->keeper.catalogue().description; }

}  // namespace cardvault::hsm
