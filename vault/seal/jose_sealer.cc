#include "vault/seal/jose_sealer.h"

#include <utility>

#include "vault/seal/base64url.h"
#include "vault/seal/public_jwk.h"

namespace cardvault::seal {

using base::Code;

namespace {

constexpr std::size_t kParsedBound = 256;  // then all are parsed anew: recipients are few

base::Result<std::string> signing_jwk(const core::Crypto& crypto, core::KeyRef key) {
  const auto found = crypto.public_key(key);
  if (!found) return std::unexpected(found.error());
  constexpr std::size_t kPoint = 65;  // 04 ‖ x ‖ y (SEC 1, 2.3.3)
  if (found->ed25519 || found->point.size() != kPoint) return base::fail(Code::kInternal, "jwk");
  const std::span<const std::uint8_t> point(found->point);
  return ec_jwk("P-256", point.subspan(1, 32), point.subspan(33, 32));
}

}  // namespace

base::Result<base::SecretBuffer> JoseSealer::signed_token(std::string_view type,
                                                          const base::SecretBuffer& claims) {
  const core::KeyRef key = keys_.get(core::KeyPurpose::kSealSign);
  const auto jwk = signing_jwk(crypto_, key);
  if (!jwk) return std::unexpected(jwk.error());
  const std::string header = R"({"alg":"ES256","kid":")" + jwk_thumbprint(*jwk) + R"(","typ":")" +
                             std::string(type) + R"("})";
  base::SecretBuffer out;
  out.reserve((header.size() + claims.size()) / 3 * 4 + 128);
  append_base64url(out, base::as_bytes(header));
  out.push_back('.');
  append_base64url(out, claims);
  const auto signature = crypto_.sign(key, out);
  if (!signature) return std::unexpected(signature.error());
  out.push_back('.');
  append_base64url(out, *signature);
  return out;
}

base::Result<std::string> JoseSealer::sign(std::string_view type,
                                           const base::SecretBuffer& claims) {
  const auto token = signed_token(type, claims);
  if (!token) return std::unexpected(token.error());
  return std::string(base::as_text(*token));
}

base::Result<std::string> JoseSealer::seal(const core::Recipient& to, std::string_view type,
                                           const base::SecretBuffer& claims, std::int64_t now_ms) {
  const core::RecipientCertificate& certificate = to.current(now_ms);
  if (now_ms < certificate.not_before_ms || now_ms > certificate.not_after_ms) {
    return base::fail(Code::kRecipientExpired, "seal.validity");
  }
  const auto key = public_key_of(certificate);
  if (!key) return std::unexpected(key.error());
  const auto token = signed_token(type, claims);
  if (!token) return std::unexpected(token.error());
  return encrypt_to(**key, type, *token);
}

base::Result<std::string> JoseSealer::jwks() {
  std::string out = R"({"keys":[)";
  const std::uint32_t active = keys_.get(core::KeyPurpose::kSealSign).version;
  for (std::uint32_t version = active; version != 0; --version) {
    const auto jwk = signing_jwk(crypto_, {core::KeyPurpose::kSealSign, version});
    if (!jwk && version == active) return std::unexpected(jwk.error());
    if (!jwk) continue;  // destroyed, or not on this token
    if (version != active) out += ',';
    out +=
        R"({"alg":"ES256","kid":")" + jwk_thumbprint(*jwk) + R"(","use":"sig",)" + jwk->substr(1);
  }
  return out + "]}";
}

base::Result<std::shared_ptr<const RecipientPublicKey>> JoseSealer::public_key_of(
    const core::RecipientCertificate& certificate) {
  {
    const std::scoped_lock lock(mutex_);
    if (const auto found = parsed_.find(certificate.der); found != parsed_.end()) {
      return found->second;
    }
  }
  auto made = recipient_public_key(certificate.der);
  if (!made) return made;
  const std::scoped_lock lock(mutex_);
  if (parsed_.size() >= kParsedBound) parsed_.clear();
  parsed_.insert_or_assign(certificate.der, *made);
  return made;
}

}  // namespace cardvault::seal
