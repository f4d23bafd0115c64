// What the tool reads of vault.toml (vault.toml(5)): where things are. Tolerant where the daemon is
// strict, so that `doctor` can look at a configuration that the daemon refuses.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cardvault::provisioning {

struct GateEntry {
  std::string name;
  std::string socket;
  std::int64_t uid = -1;
  std::vector<std::string> clients;  // of its ceiling; "*" is any
  std::vector<std::string> permissions = {};
};

struct HsmEntry {
  std::string module;
  std::string token;  // RFC 7512 URI
  std::string softhsm_conf;
  std::string init_args;  // of C_Initialize
};

struct ConfigFile {
  std::string data_dir;
  std::string admin_socket;
  std::vector<HsmEntry> hsms;      // the first, and those that stand by; never empty
  bool custodians_unseal = false;  // the PIN is in no file
  std::string custody_dir;         // of the custodians' papers
  std::string audit_dir;           // of the published log
  std::vector<GateEntry> gates;
};

// Throws ToolError(kLocal) when the file can't be read or is no TOML, with the line and what to do.
// Missing keys stay empty.
[[nodiscard]] ConfigFile read_config_file(const std::string& path);

// The path in a URI's pin-source ("file:/path" or "/path", percent-decoded), "" when it has none.
[[nodiscard]] std::string pin_file_of(const std::string& token_uri);

// Percent-encodes what RFC 7512 section 2.3 does not allow in a path or query attribute's value.
[[nodiscard]] std::string uri_encode(const std::string& text);

}  // namespace cardvault::provisioning
