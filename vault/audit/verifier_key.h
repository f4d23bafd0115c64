// Public keys that notes are checked with, as text: "NAME+ID+KEY" (c2sp.org/signed-note, "Verifier
// keys").
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vault/core/crypto.h"

namespace cardvault::audit {

// Ed25519 (signature type 0x01), or ECDSA on P-256 with SHA-256 (0x02). The key's id of the former
// is of SHA-256(name ‖ \n ‖ 01 ‖ key), of the latter of SHA-256(key in DER), as
// transparency-dev/formats has it. Thread-safe.
class VerifierKey {
 public:
  VerifierKey(std::string name, core::SigningPublicKey key);
  // nullopt when it is no such text, or its id is not that of its name and key.
  [[nodiscard]] static std::optional<VerifierKey> parse(std::string_view text);
  // A PEM file's "BEGIN PUBLIC KEY" (RFC 7468), which names no name.
  [[nodiscard]] static std::optional<VerifierKey> parse_pem(std::string_view pem,
                                                            std::string_view name);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] std::uint32_t id() const noexcept { return id_; }
  [[nodiscard]] std::string text() const;

  // A signature as notes carry it: 64 bytes of Ed25519, or ECDSA's in DER.
  [[nodiscard]] bool verify(std::string_view text, std::span<const std::uint8_t> signature) const;
  // The 64 bytes of core::Crypto::sign() as notes carry them.
  [[nodiscard]] std::vector<std::uint8_t> note_form(std::span<const std::uint8_t> signature) const;

 private:
  [[nodiscard]] std::vector<std::uint8_t> material() const;  // type and key

  std::string name_;
  core::SigningPublicKey key_;
  std::uint32_t id_;
};

// May a key or a log be called that? Not empty, no space, no plus, printable ASCII.
[[nodiscard]] bool valid_key_name(std::string_view name);

}  // namespace cardvault::audit
