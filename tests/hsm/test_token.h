// Real tokens in temporary directories, for the tests of the HSM room.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "hsm/key_maker.h"
#include "hsm/token_config.h"
#include "hsm/token_crypto.h"

namespace cardvault::hsm::testing {

inline constexpr const char* kSoftHsmModule = "/usr/lib/softhsm/libsofthsm2.so";
inline constexpr const char* kNssModule = "/usr/lib/x86_64-linux-gnu/libsoftokn3.so";

enum class Kind { kSoftHsm, kNss };

// A directory of its own, removed at the end.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// An initialised token with version 1 of every key, made by init_token() and KeyMaker.
class TestToken {
 public:
  struct Options {
    bool cbc_hmac = false;
    KeyOptions keys;
    std::vector<core::KeyPurpose> purposes{core::kAllKeyPurposes.begin(),
                                           core::kAllKeyPurposes.end()};
    std::string module;  // instead of the kind's own
    std::string pin;     // instead of a random one
  };
  explicit TestToken(Kind kind) : TestToken(kind, Options{}) {}
  TestToken(Kind kind, Options options);
  // probe_interval_ms is 50 here.
  TokenConfig config;
  [[nodiscard]] std::filesystem::path token_dir() const { return dir_.path() / "tokens"; }
  [[nodiscard]] std::filesystem::path pin_file() const { return dir_.path() / "pin"; }

 private:
  TempDir dir_;
};

void write_file(const std::filesystem::path& path, std::string_view text, unsigned mode = 0600);

// Waits up to 5 s (the time in which a token put back must be in use again).
[[nodiscard]] bool reaches(const TokenCrypto& crypto, HsmState state);

}  // namespace cardvault::hsm::testing
