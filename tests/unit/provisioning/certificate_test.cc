#include "provisioning/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "provisioning/exit_code.h"
#include "tests/fakes/own_path.h"

namespace cardvault::provisioning {
namespace {

constexpr const char* kPin = "5d223f6e73b341532ea55a6f1069a062a1974997588ff31315fd5c834874e7fb";
constexpr std::int64_t kEnd = 2110690687;
constexpr const char* kPem = R"(-----BEGIN CERTIFICATE-----
MIIB1DCCAXqgAwIBAgIUfHlu1hjtJZoitos8Wvihrh6jYJUwCgYIKoZIzj0EAwIw
JzEXMBUGA1UECgwOY2FyZHZhdWx0IGRlbW8xDDAKBgNVBAMMA3dlYjAeFw0yNjEx
MjIwNjU4MDdaFw0zNjExMTkwNjU4MDdaMCcxFzAVBgNVBAoMDmNhcmR2YXVsdCBk
ZW1vMQwwCgYDVQQDDAN3ZWIwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAS51EuH
zJobnAkDy7Ng12NvMpW3u6dQ3wT2icXalQK3EM5FswYg/Is7nKGHcTx43onEWcsa
sYbLLmu9J2xuGgMYo4GDMIGAMB0GA1UdDgQWBBTpJNQntpwy2g6X0+ZlaPSb5WYa
zzAfBgNVHSMEGDAWgBTpJNQntpwy2g6X0+ZlaPSb5WYazzAPBgNVHRMBAf8EBTAD
AQH/MC0GA1UdEQQmMCSCEndlYi5jYXJkdmF1bHQudGVzdIYOc3BpZmZlOi8veC93
ZWIwCgYIKoZIzj0EAwIDSAAwRQIhALw2J3kZHil+1fSrOhjOWTVHXQ/xqElkRIEK
DzaOUS4+AiBAbDxsTnzvRnYlqe8/PWhGBDwWzRAQxW+9O7AhMGT2Gg==
-----END CERTIFICATE-----
)";

TEST(Certificate, GivesPinNamesAndEnd) {
  const std::string path = fakes::own_path("client.pem");
  std::ofstream(path) << kPem;
  const Certificate certificate = read_certificate(path);
  std::remove(path.c_str());
  EXPECT_EQ(certificate.subject, "CN=web,O=cardvault demo");
  EXPECT_EQ(certificate.spki_sha256, kPin);
  EXPECT_THAT(certificate.sans,
              testing::ElementsAre("dns:web.cardvault.test", "uri:spiffe://x/web"));
  EXPECT_EQ(certificate.not_after, kEnd);
}

TEST(Certificate, RefusesAFileWithoutOne) {
  EXPECT_THROW((void)read_certificate("/dev/null"), ToolError);
  EXPECT_THROW((void)read_certificate("/no/such/file"), ToolError);
}

}  // namespace
}  // namespace cardvault::provisioning
