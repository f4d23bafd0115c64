// Seals and signs what a test says, by a key that lives as long as this process.
//
//   seal_sample NAME=CERTIFICATE.pem...
//     jwks                     the JWK set
//     sign TYPE CLAIMS         a JWS
//     seal NAME TYPE CLAIMS    a JWE to NAME
//
// One command per line on standard input, one line on standard output each.
#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>

#include "tests/fakes/fake_crypto.h"
#include "vault/seal/jose_sealer.h"
#include "vault/seal/recipient_certificate.h"

namespace {

using namespace cardvault;

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// Its own CA: what a test brings is trusted.
core::Recipient read_recipient(const std::string& path) {
  std::ifstream in(path);
  const std::string pem(std::istreambuf_iterator<char>(in), {});
  const auto checked = seal::check_recipient_certificate(pem, {pem, ""}, now_ms());
  if (!checked) throw std::runtime_error(path + ": " + checked.error());
  core::Recipient recipient;
  recipient.certificate = checked->certificate;
  return recipient;
}

base::Result<std::string> run(seal::JoseSealer& sealer,
                              const std::map<std::string, core::Recipient>& recipients,
                              const std::string& line) {
  std::istringstream in(line);
  std::string verb;
  std::string name;
  std::string type;
  std::string claims;
  in >> verb;
  if (verb == "jwks") return sealer.jwks();
  if (verb == "seal") in >> name;
  in >> type;
  std::getline(in >> std::ws, claims);
  const base::SecretBuffer bytes(claims.begin(), claims.end());
  if (verb == "sign") return sealer.sign(type, bytes);
  return sealer.seal(recipients.at(name), type, bytes, now_ms());
}

}  // namespace

int main(int count, char** arguments) try {
  fakes::FakeCrypto crypto;
  core::ActiveKeys keys;
  keys.set({core::KeyPurpose::kSealSign, 1});
  seal::JoseSealer sealer(crypto, keys);
  std::map<std::string, core::Recipient> recipients;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    const auto equals = argument.find('=');
    recipients[argument.substr(0, equals)] = read_recipient(argument.substr(equals + 1));
  }
  for (std::string line; std::getline(std::cin, line);) {
    const auto out = run(sealer, recipients, line);
    if (!out) throw std::runtime_error(std::string(base::code_name(out.error().code)));
    std::cout << *out << std::endl;
  }
  return 0;
} catch (const std::exception& error) {
  std::cerr << "seal_sample: " << error.what() << '\n';
  return 1;
}
