// vault.toml (docs/man/vault.toml.5).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "hsm/token_config.h"
#include "vault/core/identity.h"
#include "vault/core/settings.h"
#include "vault/daemon/confinement.h"
#include "vault/daemon/disk_level.h"
#include "vault/daemon/key_config.h"
#include "vault/daemon/unseal_config.h"

namespace cardvault::daemon {

struct GateConfig {
  std::string socket;     // Unix socket that the gate listens on
  std::int64_t uid = -1;  // the gate's user, checked on connecting
  core::Ceiling ceiling;  // with the gate's name
};

struct Operator {
  std::uint32_t uid = 0;
  std::string name;
  friend bool operator==(const Operator&, const Operator&) = default;
};

// Of the published log (docs/audit.md).
struct AuditConfig {
  std::string dir;
  std::string origin;  // the log's name in its checkpoints; empty: by the token's label
  std::string anchor;  // a checkpoint kept elsewhere, which the log has to continue; may be empty
  std::vector<std::string> closed;  // folders that files of closed months were moved to
  std::string syslog;  // a datagram socket to which events go as syslog messages; empty: none
  std::uint32_t syslog_enterprise = 0;  // of their structured data (RFC 5424 section 7.2.2)
  friend bool operator==(const AuditConfig&, const AuditConfig&) = default;
};

// Of clients that the vault's own CA enrolls.
struct ClientsConfig {
  std::string ca_file;  // what gates read: CA certificates and revocation lists, PEM
  std::uint32_t certificate_days = 30;
  std::uint32_t ca_days = 1825;
  friend bool operator==(const ClientsConfig&, const ClientsConfig&) = default;
};

struct Config {
  std::string path;  // of the file itself
  std::string data_dir;
  std::string admin_socket;
  AuditConfig audit;
  ClientsConfig clients;
  DiskConfig disk;
  hsm::TokenConfig hsm;                    // the first token
  std::vector<hsm::TokenConfig> standbys;  // that hold the same keys, in the order of their use
  core::Settings settings;
  std::uint32_t queue = 4096;      // requests that wait of each gate; more get 503
  std::uint32_t workers = 0;       // 0: one per HSM session
  std::uint32_t slow_workers = 1;  // for Argon2id
  std::int64_t max_offline_ms = 0;
  KeyConfig keys;
  SandboxConfig sandbox;
  UnsealConfig unseal;
  std::vector<GateConfig> gates;
  std::vector<Operator> operators;  // empty: root and the daemon's own user
  // Verbs that only two operators together may do.
  std::vector<std::string> two_operators;
};

// Reads and checks the file. Throws base::StartupError with file, line and what to write instead;
// unknown keys are refused. `overrides` are "section.key=value" in TOML syntax (bare words taken as
// strings), applied on top.
[[nodiscard]] Config read_config(const std::string& path,
                                 const std::vector<std::string>& overrides = {});

}  // namespace cardvault::daemon
