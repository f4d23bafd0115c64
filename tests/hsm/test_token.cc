#include "tests/hsm/test_token.h"

#include <dlfcn.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <thread>

namespace cardvault::hsm::testing {

namespace fs = std::filesystem;

TempDir::TempDir() {
  std::string name = (fs::temp_directory_path() / "cardvault-hsm-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void write_file(const fs::path& path, std::string_view text, unsigned mode) {
  std::ofstream(path) << text;
  fs::permissions(path, static_cast<fs::perms>(mode));
}

TestToken::TestToken(Kind kind, Options options) {
  // Kept loaded, so that a leak of the module's still bears its name at exit (lsan.supp).
  static void* const kept = ::dlopen(kSoftHsmModule, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (kept == nullptr) throw std::runtime_error(::dlerror());
  fs::create_directory(token_dir());
  const base::SecretText pin = options.pin.empty() ? random_pin() : base::SecretText(options.pin);
  write_file(pin_file(), std::string(pin.expose()) + "\n");
  config.cbc_hmac = options.cbc_hmac;
  config.probe_interval_ms = 50;
  if (kind == Kind::kSoftHsm) {
    config.module = kSoftHsmModule;
    config.softhsm_conf = dir_.path() / "softhsm2.conf";
    write_file(config.softhsm_conf, softhsm_conf_text(token_dir()));
  } else {
    config.module = kNssModule;
    config.init_args = "configdir='sql:" + token_dir().string() +
                       "' certPrefix='' keyPrefix='' secmod='secmod.db' flags='' "
                       "dbTokenDescription='cardvault'";
  }
  if (!options.module.empty()) config.module = options.module;
  auto uri = init_token(config, {"cardvault", random_pin(), pin.clone()});
  if (!uri) throw std::runtime_error(std::string("init_token: ") + uri.error().operation);
  config.token_uri = *uri + "?pin-source=file:" + pin_file().string();
  const auto maker = KeyMaker::open(config);
  for (const core::KeyPurpose purpose : options.purposes) {
    auto made = maker->make({purpose, 1}, options.keys);
    if (!made) throw std::runtime_error(std::string("make key: ") + made.error().operation);
  }
}

bool reaches(const TokenCrypto& crypto, HsmState state) {
  for (int i = 0; i < 6000; ++i) {
    if (crypto.state() == state) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

}  // namespace cardvault::hsm::testing
