// KeyMaker's login and session, for the sources that implement it.
#pragma once

#include <optional>
#include <vector>

#include "hsm/key_maker.h"
#include "hsm/key_spec.h"
#include "hsm/module.h"

namespace cardvault::hsm {

class KeyMaker::Impl {
 public:
  Impl(const TokenConfig& config, const base::SecretText& pin);

  // kAlreadyExists when a key of this label is on the token.
  [[nodiscard]] base::Result<void> check_free(const std::string& label) const;
  [[nodiscard]] base::Result<KeyReport> make_one(const KeySpec& spec) const;
  // A key and, in suite 2, its second key.
  [[nodiscard]] std::vector<KeySpec> specs(core::KeyRef key, const KeyOptions& options) const;
  // Modifiable symmetric keys, for modules that copy no others.
  [[nodiscard]] bool modifiable(const KeyOptions& options) const;
  [[nodiscard]] base::Result<std::vector<KeyReport>> list(CK_OBJECT_CLASS wanted_class) const;
  // The one secret or private key of this label; kKeyMissing, kConflict when there are two.
  [[nodiscard]] base::Result<CK_OBJECT_HANDLE> find(const std::string& label) const;

  const TokenConfig config_;
  Module module_;
  CK_SLOT_ID slot_ = 0;
  CK_TOKEN_INFO info_{};
  std::optional<Session> session_;
  Channel channel_;
};

}  // namespace cardvault::hsm
