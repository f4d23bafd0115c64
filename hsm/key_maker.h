// Making tokens and keys: for the tool, never the daemon. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hsm/token_config.h"
#include "hsm/token_crypto.h"
#include "vault/base/result.h"
#include "vault/base/secret.h"
#include "vault/core/crypto.h"

namespace cardvault::hsm {

// 160 random bits from getrandom(2) as 32 characters of base32 (RFC 4648), which every module takes
// as a PIN (trap 7). Aborts when the kernel has no random bytes.
[[nodiscard]] base::SecretText random_pin();

struct NewToken {
  std::string label;        // at most 32 bytes
  base::SecretText so_pin;  // unused by NSS softoken, which has no security officer
  base::SecretText user_pin;
};

// Initialises a free slot of the configured module (C_InitToken, C_InitPIN) and returns the token's
// URI without pin-source. `config.token_uri` is not read. SoftHSM always has a free slot; NSS
// softoken's one database token keeps the label its init_args give it (dbTokenDescription='…').
// kAlreadyExists when a token of that label is there, kNotFound without a free slot, kHsmPinRefused
// when the module wants other PINs. Throws StartupError as Module does.
[[nodiscard]] base::Result<std::string> init_token(const TokenConfig& config,
                                                   const NewToken& token);

enum class TokenUser : std::uint8_t { kSecurityOfficer, kUser };

// C_SetPIN (PKCS#11 5.5) on the token of `config.token_uri`, whose pin-source is not read.
// kHsmPinRefused when `before` is not its PIN, kNotFound when it has no such user (NSS softoken has
// no security officer). Throws StartupError as Module does. REQUIRES a token that nobody else
// has open: SoftHSM rewrites its files (trap 1).
[[nodiscard]] base::Result<void> change_pin(const TokenConfig& config, TokenUser who,
                                            const base::SecretText& before,
                                            const base::SecretText& after);
// Logs in and out; errors as change_pin(). A wrong PIN counts as one on tokens that count.
[[nodiscard]] base::Result<void> try_pin(const TokenConfig& config, TokenUser who,
                                         const base::SecretText& pin);

// softhsm2.conf(5) for tokens below `token_dir`.
[[nodiscard]] std::string softhsm_conf_text(const std::string& token_dir);

struct KeyOptions {
  // Symmetric keys may be wrapped for the custodians' backup (DESIGN 4.1); they stay CKA_SENSITIVE.
  // Signing keys are never extractable, whatever is said here: what they signed is checked with
  // their public halves, and a restored vault signs with new ones.
  bool extractable = true;
  // Let a module that copies only modifiable keys (SoftHSM) have modifiable symmetric keys, so that
  // the daemon can work on session copies at three times the speed. Signing keys never are.
  bool allow_copies = true;
};

// As read back from the token.
struct KeyReport {
  std::string label;
  std::string kind;  // "AES-256", "HMAC-SHA-256", "EC P-256", "Ed25519"
  bool on_token = false, private_object = false, sensitive = false, extractable = false,
       modifiable = false;
  std::optional<bool> always_sensitive, never_extractable, made_on_token;  // not all modules say
  std::vector<std::string> uses;  // of "encrypt decrypt sign verify wrap unwrap derive"
  // Key check value, 5 bytes in hex, and what it is: "CMAC" of the zero block (AES), "HMAC" of a
  // fixed label, "SHA-256" of the public key. Empty where the module cannot compute it.
  std::string kcv;
  std::string kcv_kind;
  // What is not as the vault makes its keys, in words; empty when all is well.
  std::vector<std::string> faults;
};

// A key as a backup keeps it.
struct WrappedKey {
  std::string label;  // "pan-enc/1", or "pan-enc-mac/1" for a second key of suite 2
  std::string kind;   // as in KeyReport, with the next two
  std::string kcv, kcv_kind;
  std::vector<std::uint8_t> bytes;  // RFC 3394, 40 of them
};

class KeyMaker {
 public:
  // Logs in as user with the PIN of `config.token_uri`'s pin-source, in a writable session. Throws
  // StartupError when that does not work, saying what to do.
  [[nodiscard]] static std::unique_ptr<KeyMaker> open(const TokenConfig& config);
  // The same with a PIN from elsewhere; the URI needs no pin-source.
  [[nodiscard]] static std::unique_ptr<KeyMaker> open(const TokenConfig& config,
                                                      const base::SecretText& pin);
  ~KeyMaker();
  KeyMaker(const KeyMaker&) = delete;             // owns the login
  KeyMaker& operator=(const KeyMaker&) = delete;  // owns the login

  // Makes the key (on modules without AES-GCM, or with config.cbc_hmac, an encryption key's second
  // key "…-mac/N" too), reads its attributes back and checks them. kAlreadyExists when the label is
  // taken, kMechanismMissing when the module cannot make it, kInternal when what was read back is
  // not what was asked for: such a key is destroyed again.
  [[nodiscard]] base::Result<std::vector<KeyReport>> make(core::KeyRef key,
                                                          const KeyOptions& options = {});
  // Destroys the key, its public half and its second key. kKeyMissing when there is none.
  [[nodiscard]] base::Result<void> destroy(core::KeyRef key);
  // What has this label and nothing else; nothing may have it.
  [[nodiscard]] base::Result<void> destroy_one(const std::string& label);

  // Wraps symmetric keys under the custodians' 32-byte backup key, which is wiped in any case and
  // is on the token only meanwhile, as a session key that can do nothing else. kMechanismMissing
  // where the module has no AES key wrap, kKeyMissing, kNotAllowed for a key that was made without
  // KeyOptions::extractable and for signing keys.
  [[nodiscard]] base::Result<std::vector<WrappedKey>> wrap(std::span<const core::KeyRef> keys,
                                                           base::SecretBuffer backup_key);
  // Brings wrapped keys back: never extractable again, with the uses of their kind, and compared
  // with the check values they had. All or none: what was brought back before a failure is
  // destroyed again. kAlreadyExists when a label is taken, kRecordDamaged when the backup key or a
  // wrapped key is another one, kInvalidArgument for a label or kind that no symmetric key of a
  // vault has.
  [[nodiscard]] base::Result<std::vector<KeyReport>> unwrap(std::span<const WrappedKey> keys,
                                                            base::SecretBuffer backup_key,
                                                            const KeyOptions& options = {});

  // Every key of the vault on the token, by label; each twice-used label is listed twice.
  [[nodiscard]] base::Result<std::vector<KeyReport>> list();
  [[nodiscard]] std::vector<MechanismFinding> mechanisms() const;
  [[nodiscard]] base::Result<core::SigningPublicKey> public_key(core::KeyRef key);

 private:
  class Impl;
  explicit KeyMaker(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cardvault::hsm
