// The commands that need more than their verb and arguments.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "provisioning/context.h"

namespace cardvault::provisioning {

struct ClientOptions {
  std::string id;
  std::string certificate;  // a PEM file; or one of the next two
  std::string san;          // "dns:…", "uri:…"
  std::string spki;         // hex
  bool enrolled = false;    // by none of these: the vault's own CA gives it a name
  bool by_san = false;      // of the certificate, take its SAN instead of its key's pin
  std::string permissions;  // comma-separated, as the next
  std::string purposes;
  std::uint32_t rate = 0, reveals_per_hour = 0, reveals_per_day = 0;  // 0: the vault's default
};

// Registers a client certificate. Warns about one that has expired.
ExitCode add_client(const Context& context, const ClientOptions& options);

struct ClientRights {
  std::string id;
  std::optional<std::string> permissions;  // comma-separated, as the next; none: as they are
  std::optional<std::string> purposes;
  std::optional<std::uint32_t> rate, reveals_per_hour, reveals_per_day;  // 0: the vault's default
};

// Gives a client other rights.
ExitCode change_client(const Context& context, const ClientRights& rights);

// Asks for the custodians' approval of what vault.toml lets gates and clients do.
ExitCode approve_gates(const Context& context);

// Sends a BIN table in chunks; the vault takes all of it or, when a row is bad, nothing, and the
// bad rows are rendered by line.
ExitCode import_bins(const Context& context, const std::string& path);

// Who issued a card. `digits`: at most 11 of them, from the command line; empty: a line of stdin,
// which may be a whole PAN. Throws ToolError(kUsage) on more digits in argv.
ExitCode look_up_bin(const Context& context, const std::string& digits);

// An act on the customer whose identifier is on stdin.
ExitCode act_on_customer(const Context& context, const char* verb);

// Prints the vault's public keys as they are: JSON in either format.
ExitCode print_jwks(const Context& context);

struct TailOptions {
  std::optional<std::uint64_t> from;  // a sequence number; none: the last `limit` ones
  std::uint64_t limit = 10;
  bool follow = false;
};
// Prints events as they are: one line of JSON each (table format: the sequence number first).
ExitCode tail_audit(const Context& context, const TailOptions& options);

}  // namespace cardvault::provisioning
