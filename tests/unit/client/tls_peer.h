// A TLS server of the test's own, with certificates made on the spot.
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "protocol/client/tls_context.h"

namespace cardvault::client {

// A CA with one server and one client certificate, as PEM files in a fresh folder.
class TestPki {
 public:
  // `san`: subjectAltName of the server, "DNS:localhost,IP:127.0.0.1".
  explicit TestPki(const std::string& san);
  ~TestPki();
  TestPki(const TestPki&) = delete;             // owns its folder
  TestPki& operator=(const TestPki&) = delete;  // owns its folder

  [[nodiscard]] Credentials client() const;
  [[nodiscard]] std::string file(const std::string& name) const { return folder_ + "/" + name; }

 private:
  std::string folder_;
};

// Takes `connections` one after another on 127.0.0.1, demands a client certificate, and answers
// each request (a head, with a body where Content-Length says so) with what `answer` returns; an
// empty answer ends the connection.
class TlsPeer {
 public:
  using Answer = std::function<std::string(const std::string& request)>;
  TlsPeer(const TestPki& pki, int connections, Answer answer);
  ~TlsPeer();
  TlsPeer(const TlsPeer&) = delete;             // its thread refers to it
  TlsPeer& operator=(const TlsPeer&) = delete;  // its thread refers to it

  [[nodiscard]] std::string url(const std::string& host) const;

 private:
  void serve(int connections);
  const TestPki& pki_;
  Answer answer_;
  int listener_ = -1;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace cardvault::client
