// What several tests of this room need: a folder, keys, a plan.
#pragma once

#include <openssl/evp.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "provisioning/custody/plan.h"
#include "vault/custody/custodian_set.h"

namespace cardvault::custody::testing {

class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "custody-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A key pair in memory.
struct TestKey {
  seal::PkeyPtr pkey{EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")};
  [[nodiscard]] core::SigningPublicKey key() const {
    return {.ed25519 = false, .point = p256_point(pkey.get())};
  }
  [[nodiscard]] std::string text() const { return public_key_text(key()); }
  [[nodiscard]] Signature sign(std::string_view message) const {
    return sign_es256(pkey.get(), message).value();
  }
};

inline std::string slurp(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void spill(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

// The text of what() of the StartupError that `act` throws; "" when it throws none.
template <class Act>
std::string refusal(Act act) {
  try {
    act();
  } catch (const base::StartupError& error) {
    return error.what();
  }
  return "";
}

inline base::SecretBuffer secret_of(std::uint8_t first) {
  base::SecretBuffer out(kSecretBytes);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(first + i);
  return out;
}

inline constexpr VaultId kVault = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};

inline ShareLabel label_of(SecretName secret, std::uint8_t generation = 1, std::uint8_t k = 3,
                           std::uint8_t n = 5) {
  return {kVault, secret, generation, 0, k, n};
}

// A good plan for three custodians, all on paper.
inline std::string plan_text(const std::vector<TestKey>& keys, const std::string& more = "") {
  std::string out = R"(version = 1
title = "a test"

[token]
module = "/usr/lib/softhsm/libsofthsm2.so"
label = "cardvault"

[vault]
unseal = "pin-source"

[thresholds]
approvals = 2
so-pin = 2
user-pin = 2
backup-key = 2
)" + more;
  const std::string names[] = {"anna", "bolat", "carol", "dana", "erik"};
  for (std::size_t i = 0; i < keys.size(); ++i) {
    out += "\n[[custodian]]\nname = \"" + names[i] + "\"\nkey = \"" + keys[i].text() +
           "\"\ndelivery = \"terminal\"\n";
  }
  return out;
}

}  // namespace cardvault::custody::testing
