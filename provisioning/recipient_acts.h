// The commands about recipients of sealed data.
#pragma once

#include <cstdint>
#include <string>

#include "provisioning/context.h"

namespace cardvault::provisioning {

struct RecipientOptions {
  std::string name;
  std::string certificate;  // a file, PEM or DER
  std::string ca;           // a PEM file: what vouches for the certificate, or
  std::string pin;          // SHA-256 of its SubjectPublicKeyInfo, hex; or both
  std::string may;          // "otp", "reveal" or both, comma-separated
  std::string after;        // replace: a duration, "36h"
  std::string from;         // replace: a time, "2026-12-01T06:00:00Z"
};

// Registers a recipient; the vault checks the certificate.
ExitCode add_recipient(const Context& context, const RecipientOptions& options);

// Gives a recipient another certificate: at once, or from a time on.
ExitCode replace_recipient(const Context& context, const RecipientOptions& options);

}  // namespace cardvault::provisioning
