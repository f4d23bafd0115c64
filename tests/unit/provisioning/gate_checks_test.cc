// What doctor says of gates: their files, their keys, what they may.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

#include "provisioning/local_checks.h"

namespace cardvault::provisioning {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using FilePtr = std::unique_ptr<std::FILE, decltype(&std::fclose)>;

void write_key(const std::string& path, EVP_PKEY* key) {
  fs::remove(path);
  const FilePtr out(std::fopen(path.c_str(), "w"), &std::fclose);
  ASSERT_EQ(PEM_write_PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr), 1);
  ::chmod(path.c_str(), 0400);
}

void write_certificate(const std::string& path, EVP_PKEY* key) {
  const std::unique_ptr<X509, decltype(&X509_free)> made(X509_new(), &X509_free);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), 365L * 86'400);
  X509_set_pubkey(made.get(), key);
  ASSERT_GT(X509_sign(made.get(), key, EVP_sha256()), 0);
  const FilePtr out(std::fopen(path.c_str(), "w"), &std::fclose);
  ASSERT_EQ(PEM_write_X509(out.get(), made.get()), 1);
}

struct GateChecks : testing::Test {
  GateChecks() {
    std::string name = testing::TempDir() + "gatesXXXXXX";
    dir = ::mkdtemp(name.data());
    write_certificate(dir + "/web.pem", key.get());
    write_key(dir + "/web.key", key.get());
    std::ofstream(dir + "/gate-web.toml")
        << "[gate]\ncertificate = \"" << dir << "/web.pem\"\nkey = \"" << dir << "/web.key\"\n";
    ::chmod((dir + "/gate-web.toml").c_str(), 0644);
    config.gates.push_back({"web", "/s", ::getuid(), {"web"}, {"tokenize", "cards.read"}});
  }
  ~GateChecks() override { fs::remove_all(dir); }

  // The worst that is found, and what to do; empty: nothing is wrong.
  std::string worst() {
    Findings findings;
    check_gates(dir + "/vault.toml", config, findings);
    const Finding* found = nullptr;
    for (const Finding& one : findings) {
      if (found == nullptr || one.severity > found->severity) found = &one;
    }
    return found == nullptr || found->severity < Severity::kWarning
               ? ""
               : found->what + " -> " + found->advice;
  }

  std::string dir;
  ConfigFile config;
  KeyPtr key{EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), &EVP_PKEY_free};
};

TEST_F(GateChecks, FindNothingWhereAllIsWell) { EXPECT_EQ(worst(), ""); }

TEST_F(GateChecks, FindAnotherKeyThanTheCertificates) {
  const KeyPtr other{EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), &EVP_PKEY_free};
  write_key(dir + "/web.key", other.get());
  EXPECT_THAT(worst(), HasSubstr("is not the key of " + dir + "/web.pem"));
  fs::remove(dir + "/web.key");
  std::ofstream(dir + "/web.key") << "no key";
  ::chmod((dir + "/web.key").c_str(), 0400);
  EXPECT_THAT(worst(), HasSubstr("is not the key of"));
}

TEST_F(GateChecks, FindAKeyThatTheGateCanNotRead) {
  config.gates.at(0).uid = 61'234;
  EXPECT_THAT(worst(), HasSubstr("runs as uid 61234, which can't read its TLS key"));
  EXPECT_THAT(worst(), HasSubstr("chown 61234 " + dir + "/web.key"));
}

TEST_F(GateChecks, FindAConfigurationThatOthersMayChange) {
  ::chmod((dir + "/gate-web.toml").c_str(), 0666);
  EXPECT_THAT(worst(), HasSubstr("chmod go-w " + dir + "/gate-web.toml"));
}

TEST_F(GateChecks, FindAWebTierThatMayReveal) {
  for (const char* permission : {"detokenize", "otp.clear", "audit.read"}) {
    config.gates.at(0).permissions = {"tokenize", permission};
    EXPECT_THAT(worst(), HasSubstr(std::string("serves a web tier and may ") + permission));
  }
  config.gates.at(0).name = "processor";
  fs::rename(dir + "/gate-web.toml", dir + "/gate-processor.toml");
  EXPECT_THAT(worst(), HasSubstr("may audit.read")) << "it serves tokenize";
  config.gates.at(0).permissions = {"detokenize", "cards.read"};
  EXPECT_EQ(worst(), "");
}

TEST_F(GateChecks, FindFilesThatAreMissing) {
  fs::remove(dir + "/web.pem");
  EXPECT_THAT(worst(), HasSubstr("/web.pem is missing"));
  write_certificate(dir + "/web.pem", key.get());
  std::ofstream(dir + "/gate-web.toml", std::ios::app)
      << "client_ca = \"" << dir << "/web.pem\"\ncrl = \"" << dir << "/crl.pem\"\n";
  EXPECT_THAT(worst(), HasSubstr("/crl.pem is missing"));
}

}  // namespace
}  // namespace cardvault::provisioning
