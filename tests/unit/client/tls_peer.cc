#include "tests/unit/client/tls_peer.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include "vault/base/check.h"

namespace cardvault::client {
namespace {

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;

void extend(X509* certificate, int nid, const std::string& value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
  CARDVAULT_CHECK(extension != nullptr);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

Certificate issue(const std::string& name, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key,
                  const std::string& san) {
  static long serial = 1;
  Certificate made(X509_new());
  X509_set_version(made.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), serial++);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), 3600);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(made.get(), X509_get_subject_name(issuer != nullptr ? issuer : made.get()));
  X509_set_pubkey(made.get(), key);
  if (issuer == nullptr) extend(made.get(), NID_basic_constraints, "critical,CA:TRUE");
  if (!san.empty()) extend(made.get(), NID_subject_alt_name, san);
  CARDVAULT_CHECK(X509_sign(made.get(), issuer_key, EVP_sha256()) > 0);
  return made;
}

void write(const std::string& path, X509* certificate, EVP_PKEY* key) {
  FILE* file = std::fopen(path.c_str(), "w");
  CARDVAULT_CHECK(file != nullptr);
  if (certificate != nullptr) PEM_write_X509(file, certificate);
  if (key != nullptr) PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(file);
}

// One request of a connection, "" at its end.
std::string read_request(SSL* ssl) {
  std::string request;
  std::size_t want = std::string::npos;
  char byte = 0;
  while (request.size() < want && SSL_read(ssl, &byte, 1) == 1) {
    request += byte;
    if (want == std::string::npos && request.ends_with("\r\n\r\n")) {
      const auto length = request.find("Content-Length: ");
      want = request.size();
      if (length != std::string::npos) want += std::stoul(request.substr(length + 16));
    }
  }
  return request;
}

}  // namespace

TestPki::TestPki(const std::string& san) {
  std::string pattern = (std::filesystem::temp_directory_path() / "cardvault-pki-XXXXXX").string();
  CARDVAULT_CHECK(::mkdtemp(pattern.data()) != nullptr);
  folder_ = pattern;
  const Key ca_key(EVP_EC_gen("P-256"));
  const auto ca = issue("test CA", ca_key.get(), nullptr, ca_key.get(), "");
  write(file("ca.pem"), ca.get(), nullptr);
  for (const std::string name : {"server", "client"}) {
    const Key key(EVP_EC_gen("P-256"));
    const auto leaf = issue(name, key.get(), ca.get(), ca_key.get(), name == "server" ? san : "");
    write(file(name + ".pem"), leaf.get(), nullptr);
    write(file(name + ".key"), nullptr, key.get());
  }
}

TestPki::~TestPki() { std::filesystem::remove_all(folder_); }

Credentials TestPki::client() const {
  return {file("ca.pem"), file("client.pem"), file("client.key")};
}

TlsPeer::TlsPeer(const TestPki& pki, int connections, Answer answer)
    : pki_(pki), answer_(std::move(answer)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* any = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  CARDVAULT_CHECK(::bind(listener_, any, size) == 0 && ::listen(listener_, 8) == 0);
  ::getsockname(listener_, any, &size);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this, connections] { serve(connections); });
}

TlsPeer::~TlsPeer() {
  ::shutdown(listener_, SHUT_RDWR);  // ends a waiting accept
  thread_.join();
  ::close(listener_);
}

std::string TlsPeer::url(const std::string& host) const {
  return "https://" + host + ":" + std::to_string(port_);
}

void TlsPeer::serve(int connections) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_use_certificate_chain_file(context, pki_.file("server.pem").c_str());
  SSL_CTX_use_PrivateKey_file(context, pki_.file("server.key").c_str(), SSL_FILETYPE_PEM);
  SSL_CTX_load_verify_file(context, pki_.file("ca.pem").c_str());
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  for (int i = 0; i < connections; ++i) {
    const int fd = ::accept(listener_, nullptr, nullptr);
    if (fd < 0) break;
    SSL* ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    bool goes_on = SSL_accept(ssl) == 1;
    while (goes_on) {
      const std::string request = read_request(ssl);
      const std::string answer = request.empty() ? "" : answer_(request);
      goes_on =
          !answer.empty() && SSL_write(ssl, answer.data(), static_cast<int>(answer.size())) > 0;
    }
    SSL_shutdown(ssl);
    SSL_free(ssl);
    ::close(fd);
  }
  SSL_CTX_free(context);
}

}  // namespace cardvault::client
