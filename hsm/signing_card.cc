#include "hsm/signing_card.h"

#include <openssl/sha.h>

#include <array>
#include <optional>

#include "hsm/attributes.h"
#include "hsm/error.h"
#include "hsm/module.h"
#include "hsm/public_key.h"

namespace cardvault::hsm {
namespace {

using base::StartupError;

struct CardUri {
  std::string module;
  TokenUri token;
  std::string object;
  std::string id;
};

using UriPtr = std::unique_ptr<P11KitUri, decltype(&p11_kit_uri_free)>;

std::string bytes_of(const CK_ATTRIBUTE* attribute) {
  if (attribute == nullptr) return {};
  return {static_cast<const char*>(attribute->pValue), attribute->ulValueLen};
}

CardUri parse_card_uri(const std::string& text) {
  CardUri out;
  out.token = parse_token_uri(text);
  if (!out.token.pin_source.empty()) {
    throw StartupError("a card's PIN is typed: take pin-source out of its URI");
  }
  const UriPtr uri(p11_kit_uri_new(), &p11_kit_uri_free);
  p11_kit_uri_parse(text.c_str(), P11_KIT_URI_FOR_ANY, uri.get());
  const char* path = p11_kit_uri_get_module_path(uri.get());
  if (path != nullptr) out.module = path;
  out.object = bytes_of(p11_kit_uri_get_attribute(uri.get(), CKA_LABEL));
  out.id = bytes_of(p11_kit_uri_get_attribute(uri.get(), CKA_ID));
  if (out.module.empty() || (out.object.empty() && out.id.empty())) {
    throw StartupError(
        "a card's URI names its key and its module: "
        "pkcs11:token=…;object=…?module-path=/usr/lib/…/opensc-pkcs11.so");
  }
  return out;
}

TokenConfig card_config(const CardUri& uri) {
  TokenConfig config;
  config.module = uri.module;
  return config;
}

template <class T>
T demand(base::Result<T> result, const char* what) {
  if (!result) {
    const CK_RV rv = rv_of(result.error());
    throw StartupError(std::string(what) + ": " + result.error().operation + " failed (" +
                       ckr_name(rv) + "): " + ckr_explanation(rv));
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

CK_UTF8CHAR_PTR pin_bytes(const base::SecretText& pin) {
  static CK_UTF8CHAR empty = 0;  // a null PIN would ask for a PIN pad
  if (pin.empty()) return &empty;
  return reinterpret_cast<CK_UTF8CHAR_PTR>(const_cast<char*>(pin.expose().data()));  // NOLINT
}

}  // namespace

class SigningCard::Impl {
 public:
  explicit Impl(const CardUri& uri, const base::SecretText& pin)
      : uri_(uri), module_(card_config(uri)), pin_(pin.clone()) {
    demand(module_.initialize(), "the card's module");
    const CK_SLOT_ID slot = demand(module_.find_token(uri_.token), "the card");
    session_.emplace(demand(Session::open(module_, slot, false), "the card"));
  }
  ~Impl() {
    if (session_) static_cast<void>(fn()->C_Logout(session_->handle()));
  }
  Impl(const Impl&) = delete;             // owns the login
  Impl& operator=(const Impl&) = delete;  // owns the login

  [[nodiscard]] base::Result<void> log_in() {
    const CK_RV rv = fn()->C_Login(session_->handle(), CKU_USER, pin_bytes(pin_), pin_.size());
    if (rv != CKR_OK && rv != CKR_USER_ALREADY_LOGGED_IN) {
      auto refused = refuse(ckr_code(rv), "C_Login to a card", rv);
      if (ckr_is_pin_refusal(rv)) return refused;
      demand<void>(refused, "the card");
    }
    return {};
  }

  void find_key() {
    key_ = one_object(CKO_PRIVATE_KEY, uri_.object, uri_.id);
    const auto id = read_bytes(fn(), session_->handle(), key_, CKA_ID).value_or(uri_.id);
    const CK_OBJECT_HANDLE half = id.empty() ? one_object(CKO_PUBLIC_KEY, uri_.object, "")
                                             : one_object(CKO_PUBLIC_KEY, "", id);
    const auto point = read_bytes(fn(), session_->handle(), half, CKA_EC_POINT);
    if (!point) throw StartupError("the card's key is no EC key on P-256");
    public_.point = demand(unwrap_point(*point), "the card's key");
    if (public_.point.size() != 65) throw StartupError("the card's key is not on P-256");
    asks_again_ =
        read_flag(fn(), session_->handle(), key_, CKA_ALWAYS_AUTHENTICATE).value_or(false);
  }

  [[nodiscard]] base::Result<std::vector<std::uint8_t>> sign(std::span<const std::uint8_t> data) {
    std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
    ::SHA256(data.data(), data.size(), digest.data());
    CK_MECHANISM mechanism{CKM_ECDSA, nullptr, 0};
    CK_RV rv = fn()->C_SignInit(session_->handle(), &mechanism, key_);
    if (rv == CKR_OK && asks_again_) {
      rv = fn()->C_Login(session_->handle(), CKU_CONTEXT_SPECIFIC, pin_bytes(pin_), pin_.size());
    }
    std::vector<std::uint8_t> out(64);
    CK_ULONG size = out.size();
    if (rv == CKR_OK) {
      rv = fn()->C_Sign(session_->handle(), digest.data(), digest.size(), out.data(), &size);
    }
    if (rv != CKR_OK) return refuse(ckr_code(rv), "C_Sign on a card", rv);
    if (size != out.size()) return refuse(base::Code::kInternal, "C_Sign on a card", rv);
    return out;
  }

  [[nodiscard]] const core::SigningPublicKey& public_key() const { return public_; }

 private:
  [[nodiscard]] CK_FUNCTION_LIST* fn() const { return module_.fn(); }

  [[nodiscard]] CK_OBJECT_HANDLE one_object(CK_OBJECT_CLASS type, const std::string& label,
                                            const std::string& id) {
    Template wanted;
    wanted.number(CKA_CLASS, type).flag(CKA_TOKEN, true);
    if (!label.empty()) wanted.bytes(CKA_LABEL, label);
    if (!id.empty()) wanted.bytes(CKA_ID, id);
    const auto found = demand(find_objects(fn(), session_->handle(), wanted), "the card");
    if (found.size() != 1) {
      throw StartupError("the card has " + std::to_string(found.size()) + " " +
                         (type == CKO_PRIVATE_KEY ? "private" : "public") +
                         " keys that match its URI: name one by object= or id=");
    }
    return found.front();
  }

  CardUri uri_;
  Module module_;
  std::optional<Session> session_;
  base::SecretText pin_;
  CK_OBJECT_HANDLE key_ = 0;
  core::SigningPublicKey public_;
  bool asks_again_ = false;  // a PIN for each signature, as PIV's signing key does
};

SigningCard::SigningCard(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SigningCard::~SigningCard() = default;

base::Result<std::unique_ptr<SigningCard>> SigningCard::open(const std::string& uri,
                                                             const base::SecretText& pin) {
  auto impl = std::make_unique<Impl>(parse_card_uri(uri), pin);
  if (auto in = impl->log_in(); !in) return std::unexpected(in.error());
  impl->find_key();
  return std::unique_ptr<SigningCard>(new SigningCard(std::move(impl)));
}

const core::SigningPublicKey& SigningCard::public_key() const noexcept {
  return impl_->public_key();
}

base::Result<std::vector<std::uint8_t>> SigningCard::sign(std::span<const std::uint8_t> data) {
  return impl_->sign(data);
}

}  // namespace cardvault::hsm
