#include "provisioning/restore_config.h"

#include <toml++/toml.h>

#include <algorithm>
#include <sstream>

#include "provisioning/exit_code.h"
#include "provisioning/new_keys.h"

namespace cardvault::provisioning {
namespace {

constexpr const char* kHead =
    "# Of a backup, by `cardvault backup restore`; see vault.toml(5).\n\n";

toml::table parse(const std::string& text) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& problem) {
    throw ToolError(ExitCode::kRefused, std::string("the configuration in the backup: ") +
                                            std::string(problem.description()));
  }
}

std::string text_of(const toml::table& table) {
  std::ostringstream out;
  out << kHead << toml::toml_formatter(table, toml::toml_formatter::default_flags) << '\n';
  return out.str();
}

toml::table& section(toml::table& root, const char* name) {
  if (root[name].as_table() == nullptr) root.insert_or_assign(name, toml::table{});
  return *root[name].as_table();
}

// Their papers are beside the data again; who opens the vault is decided by its plan.
void place_custody(toml::table& root, const std::string& token_uri) {
  toml::table& unseal = section(root, "unseal");
  unseal.erase("custody");
  unseal.erase("by");
  if (token_uri.find("pin-source=") == std::string::npos) {
    unseal.insert_or_assign("by", "custodians");
  } else {
    unseal.erase("survive_crash");
  }
}

void place_gates(toml::table& root, const NewVault& vault) {
  toml::array* gates = root["gate"].as_array();
  if (gates == nullptr) return;
  for (toml::node& node : *gates) {
    toml::table* gate = node.as_table();
    if (gate == nullptr) continue;
    const std::string name = (*gate)["name"].value_or("");
    gate->insert_or_assign("socket", vault.layout.run_dir + "/" + name + ".sock");
    const auto known = std::ranges::find(vault.gates, name, &NewGate::name);
    if (known != vault.gates.end()) gate->insert_or_assign("uid", known->uid);
  }
}

}  // namespace

std::string restored_vault_toml(const std::string& text, const NewVault& vault,
                                const std::string& token_uri, const std::string& origin) {
  toml::table root = parse(text);
  toml::table& places = section(root, "vault");
  places.insert_or_assign("data_dir", vault.layout.data());
  places.insert_or_assign("admin_socket", vault.layout.run_dir + "/cardvaultd/admin.sock");
  toml::table& hsm = section(root, "hsm");
  hsm.insert_or_assign("module", vault.module);
  hsm.erase("init_args");
  if (!vault.init_args.empty()) {
    hsm.insert_or_assign("init_args", read_only_init_args(vault.init_args));
  }
  hsm.insert_or_assign("token", token_uri);
  hsm.erase("standby");  // what it holds is not what was restored
  hsm.erase("softhsm_conf");
  if (vault.module.find("softhsm") != std::string::npos) {
    hsm.insert_or_assign("softhsm_conf", vault.layout.softhsm_conf());
  }
  toml::table& audit = section(root, "audit");
  audit.erase("dir");
  audit.erase("anchor");
  audit.insert_or_assign("origin", origin);
  section(root, "clients").erase("ca_file");  // beside the admin socket again
  place_custody(root, token_uri);
  place_gates(root, vault);
  return text_of(root);
}

std::string restored_gate_toml(const std::string& text, const NewVault& vault,
                               const std::string& old_dir) {
  toml::table root = parse(text);
  for (auto&& [key, value] : section(root, "gate")) {
    toml::value<std::string>* path = value.as_string();
    if (path == nullptr || !path->get().starts_with(old_dir + "/")) continue;
    *path = vault.layout.config_dir + path->get().substr(old_dir.size());
  }
  toml::table& gate = section(root, "gate");
  gate.insert_or_assign("vault_uid", vault.daemon_uid);
  if (gate.contains("vault_ca")) {
    gate.insert_or_assign("vault_ca", vault.layout.run_dir + "/cardvaultd/client-ca.pem");
  }
  return text_of(root);
}

}  // namespace cardvault::provisioning
