#include "hsm/module.h"

#include <cstdlib>
#include <vector>

#include "hsm/error.h"
#include "hsm/log_calls.h"
#include "vault/base/log.h"

namespace cardvault::hsm {
namespace {

// NSS reads pReserved as its own LibraryParameters, followed by a reserved field that must be null.
struct InitializeArgs {
  CK_C_INITIALIZE_ARGS standard{};
  void* behind = nullptr;
};

template <std::size_t kSize>
bool matches(const std::string& wanted, const CK_UTF8CHAR (&field)[kSize]) {
  if (wanted.empty()) return true;
  return wanted ==
         std::string_view(reinterpret_cast<const char*>(field), p11_kit_space_strlen(field, kSize));
}

// Two SoftHSMs in one process read one variable, at C_Initialize: nobody else may change it until
// the lock is gone. It exists since the constructors, so no reader's list of variables moves.
std::unique_lock<std::mutex> choose_softhsm_conf(const std::string& conf) {
  static std::mutex mutex;
  std::unique_lock lock(mutex);
  const char* now = std::getenv("SOFTHSM2_CONF");
  if (now == nullptr || conf != now) ::setenv("SOFTHSM2_CONF", conf.c_str(), 1);
  return lock;
}

}  // namespace

Module::Module(const TokenConfig& config)
    : init_args_(config.init_args), softhsm_conf_(config.softhsm_conf) {
  if (config.module.empty() || config.module.front() != '/') {
    throw base::StartupError("hsm.module must be the absolute path of a PKCS#11 module, not \"" +
                             config.module + "\"");
  }
  refuse_call_logging(config.module);
  if (!softhsm_conf_.empty()) ::setenv("SOFTHSM2_CONF", softhsm_conf_.c_str(), 1);
  // Unmanaged: p11-kit would otherwise share and log the module by its own configuration.
  fn_ = p11_kit_module_load(config.module.c_str(),
                            P11_KIT_MODULE_UNMANAGED | P11_KIT_MODULE_CRITICAL);
  if (fn_ == nullptr) {
    const char* why = p11_kit_message();
    throw base::StartupError("cannot load hsm.module " + config.module + ": " +
                             (why != nullptr ? why : "no reason given"));
  }
}

Module::~Module() {
  finalize();
  p11_kit_module_release(fn_);
}

base::Result<void> Module::initialize() {
  std::unique_lock<std::mutex> lock;
  if (!softhsm_conf_.empty()) lock = choose_softhsm_conf(softhsm_conf_);
  InitializeArgs args;
  args.standard.flags = CKF_OS_LOCKING_OK;
  if (!init_args_.empty()) args.standard.pReserved = init_args_.data();
  CK_RV rv = fn_->C_Initialize(&args);
  if (rv == CKR_CRYPTOKI_ALREADY_INITIALIZED) {
    // An earlier C_Finalize or C_Initialize failed half way; the module has no other user here.
    static_cast<void>(fn_->C_Finalize(nullptr));
    rv = fn_->C_Initialize(&args);
  }
  if (rv != CKR_OK) return refuse(ckr_code(rv), "C_Initialize", rv);
  initialized_ = true;
  return {};
}

void Module::finalize() noexcept {
  if (!initialized_) return;
  initialized_ = false;
  const CK_RV rv = fn_->C_Finalize(nullptr);
  if (rv != CKR_OK) base::log(base::Level::kNotice, "C_Finalize", {{"rv", ckr_name(rv)}});
}

base::Result<void> Module::enter() {
  const std::lock_guard lock(mutex_);
  if (users_ == 0) {
    finalize();
    if (auto ready = initialize(); !ready) return ready;
  }
  ++users_;
  return {};
}

void Module::leave() noexcept {
  const std::lock_guard lock(mutex_);
  --users_;
}

base::Result<CK_SLOT_ID> Module::find_token(const TokenUri& uri) const {
  CK_ULONG count = 0;
  CK_RV rv = fn_->C_GetSlotList(CK_TRUE, nullptr, &count);
  std::vector<CK_SLOT_ID> slots(count + 8);  // the list may grow between the two calls
  count = slots.size();
  if (rv == CKR_OK) rv = fn_->C_GetSlotList(CK_TRUE, slots.data(), &count);
  if (rv != CKR_OK) return refuse(ckr_code(rv), "C_GetSlotList", rv);
  slots.resize(count);
  CK_SLOT_ID found = 0;
  unsigned matching = 0;
  for (const CK_SLOT_ID slot : slots) {
    CK_TOKEN_INFO info{};
    if (uri.slot_id && *uri.slot_id != slot) continue;
    if (fn_->C_GetTokenInfo(slot, &info) != CKR_OK) continue;
    if (matches(uri.label, info.label) && matches(uri.serial, info.serialNumber) &&
        matches(uri.manufacturer, info.manufacturerID) && matches(uri.model, info.model)) {
      found = slot;
      ++matching;
    }
  }
  if (matching == 0) {
    return refuse(base::Code::kHsmUnavailable, "find token", CKR_TOKEN_NOT_PRESENT);
  }
  if (matching > 1) {
    return refuse(base::Code::kConflict, "several tokens match hsm.token_uri", CKR_OK);
  }
  return found;
}

bool Module::has(CK_SLOT_ID slot, CK_MECHANISM_TYPE mechanism, CK_FLAGS flags) const {
  CK_MECHANISM_INFO info{};
  return fn_->C_GetMechanismInfo(slot, mechanism, &info) == CKR_OK && (info.flags & flags) == flags;
}

base::Result<Session> Session::open(const Module& module, CK_SLOT_ID slot, bool writable) {
  CK_SESSION_HANDLE handle = 0;
  const CK_FLAGS flags = CKF_SERIAL_SESSION | (writable ? CKF_RW_SESSION : 0);
  const CK_RV rv = module.fn()->C_OpenSession(slot, flags, nullptr, nullptr, &handle);
  if (rv != CKR_OK) return refuse(ckr_code(rv), "C_OpenSession", rv);
  return Session(module.fn(), handle);
}

Session::Session(Session&& other) noexcept : fn_(other.fn_), handle_(other.handle_) {
  other.fn_ = nullptr;
}

Session::~Session() {
  // A session of a token that is gone cannot be closed; C_Finalize drops it.
  if (fn_ != nullptr) static_cast<void>(fn_->C_CloseSession(handle_));
}

}  // namespace cardvault::hsm
