#include "tests/hsm/second_token.h"

#include <dlfcn.h>

#include <cstdlib>
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

fs::path copy_with_key(const TestToken& of, const std::string& label, const std::string& name) {
  const fs::path copy = of.token_dir().string() + "." + name;
  fs::copy(of.token_dir(), copy, fs::copy_options::recursive);
  const fs::path conf = copy.string() + ".conf";
  write_file(conf, softhsm_conf_text(copy));
  const std::string tool = "SOFTHSM2_CONF=" + conf.string() + " pkcs11-tool --module " +
                           kSoftHsmModule + " --token-label cardvault --login --pin \"$(cat " +
                           of.pin_file().string() + ")\" --keygen --key-type AES:32 --label " +
                           label + " --sensitive --usage-decrypt >/dev/null 2>&1";
  if (std::system(tool.c_str()) != 0) throw std::runtime_error("pkcs11-tool of opensc");
  return copy;
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
