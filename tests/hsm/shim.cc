#include "tests/hsm/shim.h"

#include <dlfcn.h>

#include <cstdlib>
#include <stdexcept>

#include "tests/hsm/test_token.h"

namespace cardvault::hsm::testing {

void Shim::reset() {
  logins = finds = opens = 0;
  fail_with = fail_once_with = fail_login_with = 0;
  fail_logins = 0;
  hidden_mechanism = ~0UL;
  refuse_copies = constant_iv = login_twice = false;
  gcm_iv = ShimIv::kCaller;
  delay_us = 0;
  faults.clear();
}

const char* shim_path() { return CARDVAULT_SHIM_PATH; }

Shim& shim() {
  static Shim* const control = [] {
    ::setenv("CARDVAULT_SHIM_TARGET", kSoftHsmModule, 0);
    // Never unloaded: control and module must stay the same object.
    void* library = ::dlopen(shim_path(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library == nullptr) throw std::runtime_error(::dlerror());
    return static_cast<Shim*>(reinterpret_cast<void* (*)()>(::dlsym(library, "cardvault_shim"))());
  }();
  return *control;
}

}  // namespace cardvault::hsm::testing
