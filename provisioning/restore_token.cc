#include "provisioning/restore_token.h"

#include <algorithm>
#include <iterator>

#include "provisioning/exit_code.h"
#include "provisioning/private_file.h"
#include "provisioning/saved_softhsm_conf.h"
#include "provisioning/token_failure.h"

namespace cardvault::provisioning {
namespace {

std::string make_token(hsm::TokenConfig& config, const NewVault& vault, const std::string& stage,
                       const base::SecretText& so_pin, const base::SecretText& user_pin) {
  config.module = vault.module;
  config.init_args = vault.init_args;
  if (vault.module.find("softhsm") != std::string::npos) {
    config.softhsm_conf = stage + "/softhsm2.stage.conf";
    create_folder(stage + "/token", 0700, {});
    create_file(config.softhsm_conf, hsm::softhsm_conf_text(stage + "/token"), 0600, {});
  }
  const auto uri = hsm::init_token(config, {vault.label, so_pin.clone(), user_pin.clone()});
  if (!uri && uri.error().code == base::Code::kAlreadyExists) {
    throw ToolError(ExitCode::kLocal,
                    "a token labelled \"" + vault.label +
                        "\" is there already, and is never overwritten: if a restore left it when "
                        "it was broken off, reset the slot with the vendor's tool");
  }
  if (!uri) give_up("the token can't be made", uri.error());
  return *uri;
}

}  // namespace

RestoredToken restore_token(const NewVault& vault, const std::string& stage,
                            const base::SecretText& so_pin, const base::SecretText& user_pin,
                            const std::vector<hsm::WrappedKey>& wrapped,
                            const std::vector<core::KeyRef>& fresh,
                            const base::SecretBuffer& backup_key) {
  const SavedSoftHsmConf saved;
  hsm::TokenConfig config;
  RestoredToken out;
  out.uri = make_token(config, vault, stage, so_pin, user_pin);
  config.token_uri = out.uri;
  const auto maker = hsm::KeyMaker::open(config, user_pin);
  if (auto back = maker->unwrap(wrapped, backup_key); !back) {
    give_up("the backup's keys don't come back", back.error());
  }
  std::vector<core::KeyRef> to_wrap;
  for (const core::KeyRef key : fresh) {
    auto made = maker->make(key);
    if (!made) give_up(core::key_label(key) + " can't be made", made.error());
    std::ranges::move(*made, std::back_inserter(out.fresh));
    if (!core::is_signature(key.purpose)) to_wrap.push_back(key);
  }
  auto again = maker->wrap(to_wrap, backup_key);
  if (!again) give_up("the new keys can't be wrapped for the backup", again.error());
  out.wrapped = std::move(*again);
  const auto audit = std::ranges::find(fresh, core::KeyPurpose::kAuditSign, &core::KeyRef::purpose);
  auto public_key = maker->public_key(*audit);
  if (!public_key) give_up("the public key of audit-sign can't be read", public_key.error());
  out.audit_key = std::move(*public_key);
  return out;
}

}  // namespace cardvault::provisioning
