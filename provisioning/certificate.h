// What the tool needs to know of a certificate: who it names, its key's pin, how long it lasts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cardvault::provisioning {

struct Certificate {
  std::string subject;            // one line, RFC 2253
  std::string spki_sha256;        // lower-case hex of SHA-256 over SubjectPublicKeyInfo (RFC 7469)
  std::vector<std::string> sans;  // "dns:…", "uri:…" as core::Caller has them
  std::int64_t not_after = 0;     // seconds since 1970
};

// The first certificate of a PEM file. Throws ToolError(kLocal) when there is none, or no file.
[[nodiscard]] Certificate read_certificate(const std::string& path);

// When a PEM revocation list must be replaced, seconds since 1970 (RFC 5280 5.1.2.5); the end of
// time when it does not say. Throws ToolError(kLocal) when the file holds none.
[[nodiscard]] std::int64_t crl_next_update(const std::string& path);

// Whether a PEM file holds the certificate's private key; nothing when it can't be read from here.
// Errors of read_certificate().
[[nodiscard]] std::optional<bool> key_fits(const std::string& certificate, const std::string& key);

}  // namespace cardvault::provisioning
