// init_token() and random_pin() of key_maker.h.
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <vector>

#include "hsm/error.h"
#include "hsm/key_maker.h"
#include "hsm/module.h"
#include "hsm/token_uri.h"
#include "vault/base/check.h"

namespace cardvault::hsm {
namespace {

using base::Code;

// Never null: modules take a null PIN for a request to use a PIN pad.
CK_UTF8CHAR_PTR pin_bytes(const base::SecretText& pin) {
  static CK_UTF8CHAR empty = 0;
  if (pin.empty()) return &empty;
  return reinterpret_cast<CK_UTF8CHAR_PTR>(const_cast<char*>(pin.expose().data()));  // NOLINT
}

bool is_nss(const CK_TOKEN_INFO& info) {
  return std::string_view(reinterpret_cast<const char*>(info.manufacturerID),
                          sizeof info.manufacturerID)
      .starts_with("Mozilla");
}

// A token nobody has initialised, and that can be written.
base::Result<CK_SLOT_ID> find_free_slot(const Module& module, bool& nss) {
  std::array<CK_SLOT_ID, 256> slots{};
  CK_ULONG count = slots.size();
  const CK_RV rv = module.fn()->C_GetSlotList(CK_TRUE, slots.data(), &count);
  if (rv != CKR_OK) return refuse(ckr_code(rv), "C_GetSlotList", rv);
  for (CK_ULONG i = 0; i < count; ++i) {
    CK_TOKEN_INFO info{};
    if (module.fn()->C_GetTokenInfo(slots[i], &info) != CKR_OK) continue;
    const CK_FLAGS used = CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED | CKF_WRITE_PROTECTED;
    if ((info.flags & used) != 0) continue;
    nss = is_nss(info);
    return slots[i];
  }
  return refuse(Code::kNotFound, "no free slot", CKR_OK);
}

base::Result<void> set_user_pin(const Module& module, CK_SLOT_ID slot, const base::SecretText& so,
                                const base::SecretText& user) {
  auto session = Session::open(module, slot, true);
  if (!session) return std::unexpected(session.error());
  CK_RV rv = module.fn()->C_Login(session->handle(), CKU_SO, pin_bytes(so), so.size());
  if (rv != CKR_OK) return refuse(ckr_code(rv), "C_Login as security officer", rv);
  rv = module.fn()->C_InitPIN(session->handle(), pin_bytes(user), user.size());
  static_cast<void>(module.fn()->C_Logout(session->handle()));
  if (rv != CKR_OK) return refuse(ckr_code(rv), "C_InitPIN", rv);
  return {};
}

// `set_pin` is C_SetPIN, or nothing.
template <class SetPin>
base::Result<void> logged_in(const TokenConfig& config, TokenUser who, const base::SecretText& pin,
                             SetPin set_pin) {
  Module module(config);
  if (auto ready = module.initialize(); !ready) return std::unexpected(ready.error());
  const auto slot = module.find_token(parse_token_uri(config.token_uri));
  if (!slot) return std::unexpected(slot.error());
  auto session = Session::open(module, *slot, true);
  if (!session) return std::unexpected(session.error());
  CK_RV rv = module.fn()->C_Login(session->handle(), who == TokenUser::kUser ? CKU_USER : CKU_SO,
                                  pin_bytes(pin), pin.size());
  if (rv == CKR_USER_TYPE_INVALID) return refuse(Code::kNotFound, "C_Login", rv);
  if (rv != CKR_OK) return refuse(ckr_code(rv), "C_Login", rv);
  rv = set_pin(module, *session);
  static_cast<void>(module.fn()->C_Logout(session->handle()));
  if (rv != CKR_OK) return refuse(ckr_code(rv), "C_SetPIN", rv);
  return {};
}

std::string label_of(const Module& module, CK_SLOT_ID slot) {
  CK_TOKEN_INFO info{};
  static_cast<void>(module.fn()->C_GetTokenInfo(slot, &info));
  return {reinterpret_cast<const char*>(info.label),
          p11_kit_space_strlen(info.label, sizeof info.label)};
}

}  // namespace

base::SecretText random_pin() {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  base::SecretBuffer random(32);
  CARDVAULT_CHECK(::getrandom(random.data(), random.size(), 0) == ssize_t(random.size()));
  for (std::uint8_t& byte : random) byte = static_cast<std::uint8_t>(kAlphabet[byte % 32]);
  return base::SecretText(base::as_text(random));
}

base::Result<void> change_pin(const TokenConfig& config, TokenUser who,
                              const base::SecretText& before, const base::SecretText& after) {
  return logged_in(config, who, before, [&](const Module& module, const Session& session) {
    return module.fn()->C_SetPIN(session.handle(), pin_bytes(before), before.size(),
                                 pin_bytes(after), after.size());
  });
}

base::Result<void> try_pin(const TokenConfig& config, TokenUser who, const base::SecretText& pin) {
  return logged_in(config, who, pin, [](const Module&, const Session&) { return CKR_OK; });
}

std::string softhsm_conf_text(const std::string& token_dir) {
  return "directories.tokendir = " + token_dir +
         "\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n";
}

base::Result<std::string> init_token(const TokenConfig& config, const NewToken& token) {
  CARDVAULT_CHECK(!token.label.empty() && token.label.size() <= 32);
  Module module(config);
  if (auto ready = module.initialize(); !ready) return std::unexpected(ready.error());
  TokenUri uri;
  uri.label = token.label;
  bool nss = false;
  auto slot = find_free_slot(module, nss);
  if (!nss && module.find_token(uri)) return base::fail(Code::kAlreadyExists, "token label");
  if (!slot) return std::unexpected(slot.error());
  if (nss) {
    // NSS has no security officer: an empty SO PIN opens a database that has no password yet.
    auto done = set_user_pin(module, *slot, base::SecretText(""), token.user_pin);
    if (!done) return std::unexpected(done.error());
    return format_token_uri(label_of(module, *slot));
  }
  std::array<CK_UTF8CHAR, 32> label{};
  label.fill(' ');
  std::ranges::copy(token.label, label.begin());
  const CK_RV rv =
      module.fn()->C_InitToken(*slot, pin_bytes(token.so_pin), token.so_pin.size(), label.data());
  if (rv != CKR_OK) return refuse(ckr_code(rv), "C_InitToken", rv);
  slot = module.find_token(uri);  // SoftHSM gives an initialised token another slot
  if (!slot) return std::unexpected(slot.error());
  if (auto done = set_user_pin(module, *slot, token.so_pin, token.user_pin); !done) {
    return std::unexpected(done.error());
  }
  return format_token_uri(token.label);
}

}  // namespace cardvault::hsm
