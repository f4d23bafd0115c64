// The configuration files of a new vault, as text.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cardvault::provisioning {

// Where the parts of a vault are; all absolute.
struct Layout {
  std::string dir;         // data/, token/, pin, so-pin, audit/
  std::string config_dir;  // vault.toml, gate-NAME.toml, softhsm2.conf, gates/NAME.{pem,key}
  std::string run_dir;     // sockets

  [[nodiscard]] std::string data() const { return dir + "/data"; }
  [[nodiscard]] std::string token() const { return dir + "/token"; }
  [[nodiscard]] std::string pin() const { return dir + "/pin"; }
  [[nodiscard]] std::string so_pin() const { return dir + "/so-pin"; }
  [[nodiscard]] std::string vault_toml() const { return config_dir + "/vault.toml"; }
  [[nodiscard]] std::string softhsm_conf() const { return config_dir + "/softhsm2.conf"; }
  [[nodiscard]] std::string gate_toml(const std::string& gate) const {
    return config_dir + "/gate-" + gate + ".toml";
  }
};

struct NewGate {
  std::string name;
  std::int64_t uid = 0;
};
struct NewOperator {
  std::int64_t uid = 0;
  std::string name;
};

struct NewVault {
  Layout layout;
  std::string module;
  std::string init_args;
  std::string label;  // of the token
  std::int64_t daemon_uid = 0;
  std::vector<NewGate> gates;
  std::vector<NewOperator> operators;
};

// vault.toml(5). The gates' ceilings go by their names: "processor" may reveal, "auditor" may read
// the log, every other one is a web tier's and may do neither, whatever it says.
[[nodiscard]] std::string vault_toml(const NewVault& vault, const std::string& token_uri);
[[nodiscard]] std::string gate_toml(const NewVault& vault, const NewGate& gate);

}  // namespace cardvault::provisioning
