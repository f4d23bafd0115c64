// SOFTHSM2_CONF as it was.
#pragma once

#include <cstdlib>
#include <optional>
#include <string>

namespace cardvault::provisioning {

// SoftHSM reads the variable at C_Initialize, and hsm::Module sets it: around work on a token that
// is not the configured one. One thread.
class SavedSoftHsmConf {
 public:
  SavedSoftHsmConf() {
    if (const char* value = std::getenv(kName)) value_ = value;
  }
  SavedSoftHsmConf(const SavedSoftHsmConf&) = delete;             // puts back once
  SavedSoftHsmConf& operator=(const SavedSoftHsmConf&) = delete;  // puts back once
  ~SavedSoftHsmConf() {
    if (value_) {
      ::setenv(kName, value_->c_str(), 1);
    } else {
      ::unsetenv(kName);
    }
  }

 private:
  static constexpr const char* kName = "SOFTHSM2_CONF";
  std::optional<std::string> value_;
};

}  // namespace cardvault::provisioning
