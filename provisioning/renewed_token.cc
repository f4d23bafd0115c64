#include "provisioning/renewed_token.h"

#include <array>
#include <filesystem>

#include "provisioning/exit_code.h"
#include "provisioning/key_exchange.h"
#include "provisioning/key_folder_files.h"
#include "provisioning/key_token_folder.h"
#include "provisioning/new_keys.h"
#include "provisioning/papers_lock.h"
#include "provisioning/private_file.h"
#include "provisioning/saved_softhsm_conf.h"
#include "provisioning/token_failure.h"
#include "provisioning/writable_folder.h"
#include "vault/custody/lines.h"

namespace cardvault::provisioning {
namespace {

namespace fs = std::filesystem;
using custody::SecretName;

constexpr const char* kRecord = "/renewal.pins";
constexpr const char* kBegun = "begun\n";
constexpr const char* kVerb = "renew";
// The officer's first: in between, the vault still works with the PIN that it has.
constexpr std::array kPins{SecretName::kSoPin, SecretName::kUserPin};

hsm::TokenUser user_of(SecretName secret) {
  return secret == SecretName::kSoPin ? hsm::TokenUser::kSecurityOfficer : hsm::TokenUser::kUser;
}

std::string name_of(SecretName secret) { return std::string(custody::secret_name(secret)); }

class ExchangedRenewal final : public RenewedToken {
 public:
  ExchangedRenewal(hsm::TokenConfig config, std::string folder)
      : config_(std::move(config)), exchange_(std::move(folder)) {
    const auto& left = exchange_.unfinished();
    if (!left || left->verb == kVerb) return;
    throw ToolError(ExitCode::kRefused, "a change of " + left->label +
                                            " was broken off: finish it first, by the key command "
                                            "that began it");
  }

  bool unfinished() const override { return exchange_.unfinished().has_value(); }

  void prepare(RenewedPins& pins) override {
    const std::string copy = exchange_.stage();
    config_.softhsm_conf = copy + ".conf";
    create_file(config_.softhsm_conf, hsm::softhsm_conf_text(copy), 0600, {});
    const SavedSoftHsmConf saved;
    for (const SecretName secret : kPins) {
      const auto done =
          hsm::change_pin(config_, user_of(secret), pins.before(secret), pins.after(secret));
      if (!done) give_up("the token's PINs can't be changed", done.error());
    }
  }

  void with_keys(RenewedPins& pins, const std::function<void(hsm::KeyMaker&)>& work) override {
    const SavedSoftHsmConf saved;
    work(*hsm::KeyMaker::open(config_, pins.after(SecretName::kUserPin)));
  }

  void put_live(RenewedPins& /*pins*/, const std::string& name) override {
    if (!unfinished()) exchange_.exchange({kVerb, name, "-", "-", "-"});
  }
  void confirm() override { exchange_.confirm(); }
  void discard() override { exchange_.discard(); }

 private:
  hsm::TokenConfig config_;
  TokenExchange exchange_;
};

// The record's lines after the first are names of PINs that are changed, or that the token has not.
class RenewalInPlace final : public RenewedToken {
 public:
  RenewalInPlace(hsm::TokenConfig config, const std::string& folder)
      : config_(std::move(config)), folder_(folder), record_(folder + kRecord), lock_(folder) {
    config_.init_args = writable_init_args(config_.init_args);
  }

  bool unfinished() const override { return fs::exists(record_); }

  void prepare(RenewedPins& pins) override {
    const WritableFolder writable(folder_of_init_args(config_.init_args));
    for (const SecretName secret : kPins) {
      const auto opens = hsm::try_pin(config_, user_of(secret), pins.before(secret));
      if (!opens && !has_no_such_user(opens.error())) {
        give_up(name_of(secret) + " of the shares does not open the token", opens.error());
      }
    }
  }

  void with_keys(RenewedPins& pins, const std::function<void(hsm::KeyMaker&)>& work) override {
    const WritableFolder writable(folder_of_init_args(config_.init_args));
    work(*hsm::KeyMaker::open(config_, pins.before(SecretName::kUserPin)));
  }

  void put_live(RenewedPins& pins, const std::string& /*name*/) override {
    const WritableFolder writable(folder_of_init_args(config_.init_args));
    resumed_ = unfinished();
    std::string settled = resumed_ ? custody::read_text_file(record_) : kBegun;
    if (!resumed_) record(settled);
    bool untouched = !resumed_;
    for (const SecretName secret : kPins) {
      const std::string line = name_of(secret) + "\n";
      if (settled.find(line) != std::string::npos) continue;
      if (change(pins, secret, untouched)) untouched = false;
      settled += line;
      record(settled);
    }
  }

  void confirm() override {
    fs::remove(record_);
    sync_directory(folder_);
  }
  void discard() override {}

 private:
  static bool has_no_such_user(const base::Error& error) {
    return error.code == base::Code::kNotFound;
  }

  // False where the token has no such user. A process that was killed may have changed it and not
  // said so: then the new one opens it, which costs one try at the most.
  bool change(RenewedPins& pins, SecretName secret, bool untouched) {
    const hsm::TokenUser user = user_of(secret);
    const auto after = pins.after(secret);
    if (resumed_) {
      const auto opens = hsm::try_pin(config_, user, after);
      if (!opens && has_no_such_user(opens.error())) return false;
      if (opens) return true;
      if (opens.error().code != base::Code::kHsmPinRefused) {
        give_up("the token can't be asked for its " + name_of(secret), opens.error());
      }
    }
    const auto before = pins.before(secret);
    const auto done = hsm::change_pin(config_, user, before, after);
    if (!done && has_no_such_user(done.error())) return false;
    if (!done) {
      if (untouched && hsm::try_pin(config_, user, before)) confirm();
      give_up(name_of(secret) + " can't be changed", done.error());
    }
    if (const auto opens = hsm::try_pin(config_, user, after); !opens) {
      give_up("the token took a new " + name_of(secret) + " and does not open with it",
              opens.error());
    }
    return true;
  }

  void record(const std::string& settled) const {
    fs::remove(record_ + ".new");
    create_file(record_ + ".new", settled, 0600, {});
    fs::rename(record_ + ".new", record_);
    sync_directory(folder_);
  }

  hsm::TokenConfig config_;
  std::string folder_, record_;
  PapersLock lock_;
  bool resumed_ = false;
};

}  // namespace

std::unique_ptr<RenewedToken> open_renewed_token(const hsm::TokenConfig& config,
                                                 const std::string& folder) {
  std::string token = token_folder(config);
  if (token.empty()) return std::make_unique<RenewalInPlace>(config, folder);
  return std::make_unique<ExchangedRenewal>(config, std::move(token));
}

bool pins_half_renewed(const std::string& folder) { return fs::exists(folder + kRecord); }

}  // namespace cardvault::provisioning
