#include "provisioning/ceremony_token.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "hsm/module_survey.h"
#include "hsm/token_crypto.h"
#include "provisioning/ceremony_token_copy.h"
#include "provisioning/new_keys.h"
#include "provisioning/private_file.h"
#include "provisioning/token_failure.h"

namespace cardvault::provisioning {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConf = "SOFTHSM2_CONF";

// Loading SoftHSM with a configuration of ours sets the environment; a card may be another SoftHSM.
class Environment {
 public:
  Environment() {
    if (const char* value = ::getenv(kConf)) before_ = value;
  }
  ~Environment() {
    if (before_.empty()) {
      ::unsetenv(kConf);
    } else {
      ::setenv(kConf, before_.c_str(), 1);
    }
  }
  Environment(const Environment&) = delete;             // restores once
  Environment& operator=(const Environment&) = delete;  // restores once

 private:
  std::string before_;
};

// A PIN where a pin-source can name it and no disk has it.
class PinFile {
 public:
  explicit PinFile(const base::SecretText& pin) : fd_(::memfd_create("pin", MFD_CLOEXEC)) {
    const auto text = pin.expose();
    if (fd_ < 0 || ::fchmod(fd_, 0400) != 0 ||
        ::write(fd_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
      throw ToolError(ExitCode::kLocal, "no memory for a PIN");
    }
  }
  ~PinFile() {
    // Dropping the pages is not wiping them.
    const std::string zeros(256, '\0');
    static_cast<void>(!::pwrite(fd_, zeros.data(), zeros.size(), 0));
    ::close(fd_);
  }
  PinFile(const PinFile&) = delete;             // owns the file
  PinFile& operator=(const PinFile&) = delete;  // owns the file
  [[nodiscard]] std::string uri(const std::string& token) const {
    return token + "?pin-source=file:/proc/self/fd/" + std::to_string(fd_);
  }

 private:
  int fd_;
};

}  // namespace

CeremonyToken::CeremonyToken(NewVault vault, std::string stage)
    : vault_(std::move(vault)), stage_(std::move(stage)) {}

std::unique_ptr<TokenCopy> CeremonyToken::work_on_copy(bool empty) const {
  return is_softhsm() ? std::make_unique<TokenCopy>(stage_, empty) : nullptr;
}

bool CeremonyToken::is_softhsm() const {
  return vault_.module.find("softhsm") != std::string::npos;
}

hsm::TokenConfig CeremonyToken::config(const std::string& uri) const {
  hsm::TokenConfig config;
  config.module = vault_.module;
  config.init_args = vault_.init_args;
  config.token_uri = uri;
  const std::string nss = folder_of_init_args(vault_.init_args);
  if (!nss.empty()) create_folders(nss);
  if (is_softhsm()) {
    config.softhsm_conf = stage_ + "/softhsm2.stage.conf";
    if (!fs::exists(config.softhsm_conf)) {
      create_file(config.softhsm_conf, hsm::softhsm_conf_text(stage_ + "/token.copy"), 0600, {});
    }
  }
  return config;
}

void CeremonyToken::check_module(bool backup, bool begun) const {
  const Environment environment;
  const auto copy = work_on_copy(true);
  const auto survey = hsm::survey_module(config(""));
  if (!survey) give_up(vault_.module + " can't be used", survey.error());
  const std::string missing = hsm::describe_missing(survey->findings);
  if (!missing.empty()) throw ToolError(ExitCode::kLocal, vault_.module + ": " + missing);
  if (!begun && std::ranges::find(survey->labels, vault_.label) != survey->labels.end()) {
    refuse_token(false);
  }
  if (backup && !survey->wraps_keys) {
    throw ToolError(ExitCode::kLocal,
                    vault_.module +
                        ": the module lacks CKM_AES_KEY_WRAP, so custodians can't keep a backup of "
                        "its keys: take backup-key out of the plan, and clone the token by the "
                        "vendor's own means");
  }
}

void CeremonyToken::refuse_token(bool again) const {
  throw ToolError(
      ExitCode::kLocal,
      "a token labelled \"" + vault_.label + "\" is there already, and is never overwritten" +
          (again ? ". If this ceremony left it when it was broken off, no key is in it: reset the "
                   "slot with the vendor's tool, then go on"
                 : ": choose another label, or reset it if no vault uses it"));
}

std::string CeremonyToken::make(const base::SecretText& so_pin, const base::SecretText& user_pin,
                                bool again) const {
  const Environment environment;
  const auto copy = work_on_copy(true);
  const hsm::NewToken token{
      .label = vault_.label, .so_pin = so_pin.clone(), .user_pin = user_pin.clone()};
  const auto uri = hsm::init_token(config(""), token);
  if (!uri && uri.error().code == base::Code::kAlreadyExists) {
    refuse_token(again);
  }
  if (!uri) give_up("the token can't be made", uri.error());
  if (copy) copy->keep();
  return *uri;
}

void CeremonyToken::make_keys(const std::string& uri, const base::SecretText& pin,
                              const std::vector<std::string>& made, bool again,
                              const std::function<void(const hsm::KeyReport&)>& report) const {
  const Environment environment;
  const auto copy = work_on_copy(false);
  std::vector<hsm::KeyReport> kept;
  auto maker = hsm::KeyMaker::open(config(uri), pin);
  for (const core::KeyPurpose purpose : core::kAllKeyPurposes) {
    const core::KeyRef key{purpose, 1};
    const std::string label = core::key_label(key);
    if (std::ranges::find(made, label) != made.end()) continue;
    if (again) static_cast<void>(maker->destroy(key));  // kKeyMissing: there was none
    const auto reports = maker->make(key);
    if (!reports && reports.error().code == base::Code::kAlreadyExists) {
      throw ToolError(ExitCode::kLocal,
                      "the token has a key " + label + " already, and keys are never overwritten");
    }
    if (!reports) give_up("the key " + label + " can't be made", reports.error());
    for (const hsm::KeyReport& one : *reports) {
      if (copy) {
        kept.push_back(one);
      } else {
        report(one);
      }
    }
  }
  if (!copy) return;
  maker.reset();  // its module has the files open
  copy->keep();
  for (const hsm::KeyReport& one : kept) report(one);
}

std::vector<hsm::WrappedKey> CeremonyToken::wrap(const std::string& uri,
                                                 const base::SecretText& pin,
                                                 base::SecretBuffer backup_key) const {
  const Environment environment;
  const auto copy = work_on_copy(false);
  const auto maker = hsm::KeyMaker::open(config(uri), pin);
  std::vector<core::KeyRef> keys;
  for (const core::KeyPurpose purpose : core::kAllKeyPurposes) {
    if (!core::is_signature(purpose)) keys.push_back({purpose, 1});
  }
  auto wrapped = maker->wrap(keys, std::move(backup_key));
  if (!wrapped) give_up("the keys can't be wrapped for the backup", wrapped.error());
  return std::move(*wrapped);
}

CeremonyToken::Tried CeremonyToken::use(const std::string& uri, const base::SecretText& pin,
                                        const std::vector<std::string>& messages) const {
  const Environment environment;
  const auto copy = work_on_copy(false);
  const PinFile source(pin);
  hsm::TokenConfig config = this->config(source.uri(uri));
  config.probe_interval_ms = 0;
  const auto crypto = hsm::TokenCrypto::open(config);
  if (crypto->state() != hsm::HsmState::kReady) {
    give_up("the token can't be used", crypto->cause());
  }
  const core::KeyRef audit{core::KeyPurpose::kAuditSign, 1};
  const auto key = crypto->public_key(audit);
  if (!key) give_up("the public key of audit-sign/1 can't be read", key.error());
  const hsm::TokenDescription description = crypto->description();
  Tried out{description.manufacturer,
            description.model,
            description.serial,
            description.hardware,
            *key,
            {}};
  for (const std::string& message : messages) {
    auto signature = crypto->sign(audit, base::as_bytes(message));
    if (!signature) give_up("audit-sign/1 does not sign", signature.error());
    out.signatures.push_back(std::move(*signature));
  }
  return out;
}

}  // namespace cardvault::provisioning
