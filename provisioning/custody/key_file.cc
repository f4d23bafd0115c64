#include "provisioning/custody/key_file.h"

#include <openssl/core_names.h>
#include <openssl/pkcs12.h>

#include "provisioning/custody/envelope.h"
#include "vault/base/check.h"
#include "vault/custody/lines.h"
#include "vault/custody/medium.h"

namespace cardvault::custody {
namespace {

using base::StartupError;

// scrypt with 16 MiB, five times over: OpenSSL's limit for reading such files is 32 MiB.
constexpr std::uint64_t kScryptN = 16384;
constexpr std::uint64_t kScryptR = 8;
constexpr std::uint64_t kScryptP = 5;
constexpr std::size_t kSalt = 16;
constexpr std::string_view kBegin = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n";
constexpr std::string_view kEnd = "-----END ENCRYPTED PRIVATE KEY-----\n";
constexpr std::size_t kPemLine = 64;  // RFC 7468 2

using Pkcs8Ptr = std::unique_ptr<PKCS8_PRIV_KEY_INFO, seal::OpensslFree<PKCS8_PRIV_KEY_INFO_free>>;
using EncryptedPtr = std::unique_ptr<X509_SIG, seal::OpensslFree<X509_SIG_free>>;
using AlgorithmPtr = std::unique_ptr<X509_ALGOR, seal::OpensslFree<X509_ALGOR_free>>;

class KeyFile final : public CustodianKey {
 public:
  explicit KeyFile(seal::PkeyPtr key) : key_(std::move(key)) {
    public_.point = p256_point(key_.get());
  }
  [[nodiscard]] const core::SigningPublicKey& public_key() const override { return public_; }
  [[nodiscard]] base::Result<Signature> sign(std::string_view message) override {
    return sign_es256(key_.get(), message);
  }
  [[nodiscard]] base::Result<base::SecretBuffer> open(std::string_view sealed) override {
    return open_envelope(key_.get(), sealed);
  }

 private:
  seal::PkeyPtr key_;
  core::SigningPublicKey public_;
};

// No file of ours needs OpenSSL's BIO, which its PEM functions come with.
std::string to_pem(std::span<const std::uint8_t> der) {
  std::string base64(der.size() / 3 * 4 + 5, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(base64.data()), der.data(),
                                   static_cast<int>(der.size()));
  base64.resize(static_cast<std::size_t>(size));
  std::string out(kBegin);
  for (std::size_t at = 0; at < base64.size(); at += kPemLine) {
    out += base64.substr(at, kPemLine) + "\n";
  }
  return out + std::string(kEnd);
}

std::vector<std::uint8_t> from_pem(const std::string& path, std::string_view text) {
  const auto refuse = [&path]() -> StartupError {
    return StartupError(path +
                        ": is no custodian's key file (make one with `cardvault custodian "
                        "key create`)");
  };
  if (!text.starts_with(kBegin) || !text.ends_with(kEnd)) throw refuse();
  text.remove_prefix(kBegin.size());
  text.remove_suffix(kEnd.size());
  std::string base64;
  for (const char c : text) {
    if (c != '\n') base64 += c;
  }
  std::vector<std::uint8_t> der(base64.size() / 4 * 3 + 3);
  const int size =
      base64.size() % 4 == 0
          ? EVP_DecodeBlock(der.data(), reinterpret_cast<const unsigned char*>(base64.data()),
                            static_cast<int>(base64.size()))
          : -1;
  if (size <= 0) throw refuse();
  der.resize(static_cast<std::size_t>(size));  // what '=' filled up stays: DER knows its length
  return der;
}

std::vector<std::uint8_t> encrypt(EVP_PKEY* key, const base::SecretText& passphrase) {
  const auto secret = passphrase.expose();
  const Pkcs8Ptr plain(EVP_PKEY2PKCS8(key));
  AlgorithmPtr algorithm(PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), nullptr, kSalt, nullptr, kScryptN,
                                               kScryptR, kScryptP));
  CARDVAULT_CHECK(plain && algorithm);
  const EncryptedPtr encrypted(
      PKCS8_set0_pbe(secret.data(), static_cast<int>(secret.size()), plain.get(), algorithm.get()));
  CARDVAULT_CHECK(encrypted != nullptr);
  static_cast<void>(algorithm.release());  // PKCS8_set0_pbe took it
  unsigned char* der = nullptr;
  const int size = i2d_X509_SIG(encrypted.get(), &der);
  CARDVAULT_CHECK(size > 0);
  std::vector<std::uint8_t> out(der, der + size);
  OPENSSL_free(der);
  return out;
}

}  // namespace

core::SigningPublicKey create_key_file(const std::string& path,
                                       const base::SecretText& passphrase) {
  CARDVAULT_CHECK(passphrase.size() >= kMinPassphrase && passphrase.size() <= kMaxPassphrase);
  const seal::PkeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  CARDVAULT_CHECK(key != nullptr);
  const std::string pem = to_pem(encrypt(key.get(), passphrase));
  if (const int error = write_new_file(path, pem); error != 0) {
    throw StartupError(path + ": " + explain_write(error));
  }
  return {.ed25519 = false, .point = p256_point(key.get())};
}

base::Result<std::unique_ptr<CustodianKey>> open_key_file(const std::string& path,
                                                          const base::SecretText& passphrase) {
  const std::vector<std::uint8_t> der = from_pem(path, read_text_file(path));
  const unsigned char* at = der.data();
  const EncryptedPtr encrypted(d2i_X509_SIG(nullptr, &at, static_cast<long>(der.size())));
  if (!encrypted) throw StartupError(path + ": is no encrypted PKCS#8 key");
  const auto secret = passphrase.expose();
  const Pkcs8Ptr plain(
      PKCS8_decrypt(encrypted.get(), secret.data(), static_cast<int>(secret.size())));
  if (!plain) {
    ERR_clear_error();
    return base::fail(base::Code::kHsmPinRefused, "custodian key file");
  }
  seal::PkeyPtr key(EVP_PKCS82PKEY(plain.get()));
  if (!key || p256_point(key.get()).empty()) {
    ERR_clear_error();
    throw StartupError(path + ": holds no EC P-256 key");
  }
  return std::make_unique<KeyFile>(std::move(key));
}

}  // namespace cardvault::custody
