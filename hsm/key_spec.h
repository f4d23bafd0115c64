// What the vault's keys are made of: attributes asked for, and read back.
#pragma once

#include <string>
#include <vector>

#include "hsm/attributes.h"
#include "hsm/cipher.h"
#include "hsm/key_maker.h"

namespace cardvault::hsm {

enum class KeyKind : std::uint8_t { kAes, kHmac, kP256, kEd25519 };

// "AES-256", as KeyReport::kind says it.
[[nodiscard]] const char* kind_name(KeyKind kind) noexcept;

struct KeySpec {
  std::string label;
  KeyKind kind = KeyKind::kAes;
  bool extractable = false;
  bool modifiable = false;
};

[[nodiscard]] constexpr bool is_pair(KeyKind kind) {
  return kind == KeyKind::kP256 || kind == KeyKind::kEd25519;
}

// C_GenerateKey or C_GenerateKeyPair. Returns the secret or private key.
[[nodiscard]] base::Result<CK_OBJECT_HANDLE> generate(const Channel& channel, const KeySpec& spec);

// What C_UnwrapKey is to make of a wrapped secret key: on the token, private, sensitive, not
// extractable, with the uses of its kind and no other.
void fill_restored(Template& out, const KeySpec& spec);

// Destroys every object of the token with this label: a key and its public half. Returns how many
// there were.
[[nodiscard]] base::Result<unsigned> destroy(const Channel& channel, const std::string& label);

// Reads a key back, its KCV included, and lists what differs from how the vault makes such keys.
[[nodiscard]] KeyReport inspect(const Channel& channel, CK_OBJECT_HANDLE key);

// Whether this module makes session copies of keys that are not modifiable. Makes and drops a
// session key.
[[nodiscard]] bool copies_unmodifiable(const Channel& channel);

}  // namespace cardvault::hsm
