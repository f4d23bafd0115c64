#include "provisioning/auditor/remote_log.h"

#include <netdb.h>

#include <algorithm>
#include <charconv>
#include <thread>

#include "vault/audit/tile.h"
#include "vault/base/readable.h"

namespace cardvault::auditor {
namespace {

using base::Code;
using base::StartupError;
using std::chrono::milliseconds;

constexpr std::string_view kRoot = "/v1/audit/";
constexpr milliseconds kTimeout{30'000};
constexpr milliseconds kFirstPause{200}, kLongestPause{10'000};
constexpr int kTries = 6;
// No file of a log is larger: a bundle of the longest entries.
constexpr std::size_t kLargest = audit::kTileWidth * (2 + audit::kMaxEntryBytes);

client::TlsContext load(const client::Credentials& credentials) {
  base::demand_readable(credentials.ca_file, "name the CA of the vault's gates with --ca");
  base::demand_readable(credentials.cert_file, "name the client's certificate with --cert");
  base::demand_readable(credentials.key_file, "name the certificate's key with --cert-key");
  auto context = client::TlsContext::load(credentials);
  if (context) return std::move(*context);
  if (context.error().code == Code::kConflict) {
    throw StartupError(credentials.key_file + " is not the key of the certificate " +
                       credentials.cert_file);
  }
  const std::string_view what = context.error().operation;
  if (what == client::kLoadCa) {
    throw StartupError(credentials.ca_file + " holds no CA certificate in PEM");
  }
  if (what == client::kLoadCertificate) {
    throw StartupError(credentials.cert_file + " holds no certificate in PEM that TLS can use");
  }
  throw StartupError(credentials.key_file + " holds no private key in PEM without a passphrase");
}

client::Endpoint resolve(const std::string& url) {
  auto endpoint = client::Endpoint::resolve(url);
  if (endpoint) return std::move(*endpoint);
  if (endpoint.error().number == EAI_AGAIN) {
    throw Unreachable(url + ": no name server answers; the next run tries again");
  }
  if (endpoint.error().code == Code::kNotFound) throw StartupError(url + ": no such host");
  throw StartupError(url + ": write the auditors' gate as https://HOST:PORT");
}

milliseconds retry_after(const client::Response& response) {
  const std::string_view text = response.header("Retry-After");
  unsigned seconds = 0;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  return std::clamp(milliseconds(std::chrono::seconds(seconds)), kFirstPause, kLongestPause);
}

// The code of problem+json (docs/openapi.yaml), where it is about who asks.
Code refusal_in(std::string_view body) {
  for (const Code code : {Code::kCertificateExpired, Code::kClientRevoked, Code::kClientUnknown,
                          Code::kClientFrozen}) {
    if (body.find('"' + std::string(base::code_name(code)) + '"') != std::string_view::npos) {
      return code;
    }
  }
  return Code::kPermissionDenied;
}

}  // namespace

bool passes(Code code) {
  return code == Code::kVaultUnavailable || code == Code::kRequestTimeout || code == Code::kBadHttp;
}

RemoteLog::RemoteLog(const std::string& url, const client::Credentials& credentials)
    : context_(load(credentials)),
      endpoint_(resolve(url)),
      client_(context_, endpoint_, kTimeout, kLargest) {}

audit::ReadFile RemoteLog::files() {
  return [this](const std::string& path) { return get(path); };
}

base::Result<std::optional<std::string>> RemoteLog::get(const std::string& path) {
  milliseconds pause = kFirstPause;
  for (int tries = 1;; ++tries) {
    auto file = try_once(path, pause);
    if (file || !passes(file.error().code) || tries == kTries) return file;
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, kLongestPause);
  }
}

base::Result<std::optional<std::string>> RemoteLog::try_once(const std::string& path,
                                                             milliseconds& pause) {
  const std::string target = std::string(kRoot) + path;
  const auto response = client_.request({.path = target});
  if (!response) return std::unexpected(response.error());
  switch (response->status) {
    case 200:
      return std::string(response->body);
    case 404:
      return std::nullopt;
    case 401:
    case 403:
      return base::fail(refusal_in(response->body), "the vault's answer", response->status);
    case 429:
    case 503:
      pause = retry_after(*response);
      // A code of problem+json (docs/openapi.yaml) that the vault's operators have to act on.
      if (response->body.find("\"store_failed\"") != std::string_view::npos) {
        return base::fail(Code::kInternal, "its own files can't be read: see its log",
                          response->status);
      }
      return base::fail(Code::kVaultUnavailable, "the vault's answer", response->status);
    case 408:  // this machine was slow to ask
    case 502:  // of what stands before a gate that is away
    case 504:
      return base::fail(Code::kVaultUnavailable, "the vault's answer", response->status);
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
      return base::fail(Code::kInvalidArgument, "the vault's answer", response->status);
    default:
      return base::fail(Code::kInternal, "the vault's answer", response->status);
  }
}

}  // namespace cardvault::auditor
