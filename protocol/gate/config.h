// The gate's configuration file (TOML).
#pragma once

#include <cstdint>
#include <string>

namespace cardvault::gate {

struct Limits {
  std::uint32_t max_connections = 20000;
  std::uint32_t max_connections_per_source = 0;  // 0: no limit
  std::uint32_t handshake_timeout_s = 10;
  std::uint32_t header_timeout_s = 10;
  std::uint32_t body_timeout_s = 30;  // also for writing an answer
  std::uint32_t idle_timeout_s = 300;
  std::uint32_t answer_timeout_s = 10;
  std::uint32_t max_body_bytes = 1U << 20;
  std::uint32_t max_buffered_bytes = 64U << 20;  // of requests and answers on their way (Buffered)
  std::uint32_t max_header_bytes = 8192;
};

struct Config {
  std::string name;         // of this gate, as in the vault's ceilings
  std::string certificate;  // PEM file, the gate's own first
  std::string key;          // PEM file
  std::string client_ca;    // PEM file: who may issue client certificates; empty: nobody else
  std::string crl;          // PEM file; empty: none
  std::string vault_ca;  // PEM file that cardvaultd writes: its own CA for clients, with the lists
  std::uint32_t vault_uid = 0;  // the user that cardvaultd runs as
  std::uint32_t threads = 1;
  Limits limits;
};

// Reads [gate] and [limits]. Throws base::StartupError that names the key and the line: unknown and
// missing keys, wrong types, values out of range.
[[nodiscard]] Config load_config(const std::string& path);

}  // namespace cardvault::gate
