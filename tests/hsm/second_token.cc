#include "tests/hsm/second_token.h"

#include <dlfcn.h>

#include <stdexcept>

namespace cardvault::hsm::testing {

namespace fs = std::filesystem;

ClonedToken::ClonedToken(const TestToken& of) {
  config = of.config;
  config.module = dir_.path() / "libsofthsm2-second.so";
  config.softhsm_conf = dir_.path() / "softhsm2.conf";
  fs::copy_file(kSoftHsmModule, config.module);
  write_file(config.softhsm_conf, softhsm_conf_text(token_dir()));
  fs::copy(of.token_dir(), token_dir(), fs::copy_options::recursive);
  // Kept loaded, as in TestToken.
  if (::dlopen(config.module.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) == nullptr) {
    throw std::runtime_error(::dlerror());
  }
}

void take_keys(const TokenConfig& from, const TokenConfig& to,
               const std::vector<core::KeyPurpose>& purposes) {
  std::vector<core::KeyRef> keys;
  for (const core::KeyPurpose purpose : purposes) keys.push_back({purpose, 1});
  const auto transport = [] { return base::SecretBuffer(32, 7); };
  const auto wrapped = KeyMaker::open(from)->wrap(keys, transport());
  if (!wrapped) throw std::runtime_error(std::string("wrap: ") + wrapped.error().operation);
  const auto taken = KeyMaker::open(to)->unwrap(*wrapped, transport());
  if (!taken) throw std::runtime_error(std::string("unwrap: ") + taken.error().operation);
}

}  // namespace cardvault::hsm::testing
