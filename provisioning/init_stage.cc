#include "provisioning/init_stage.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "provisioning/key_folder_files.h"
#include "provisioning/private_file.h"
#include "vault/custody/lines.h"

namespace cardvault::provisioning {

namespace fs = std::filesystem;

namespace {

// Configurations may live on another file system than the data. A kill leaves it to be done again.
void copy_across(const std::string& from, const std::string& to) {
  const std::string fresh = to + ".new";
  fs::remove(fresh);
  create_file(fresh, custody::read_text_file(from),
              static_cast<unsigned>(fs::status(from).permissions()), {});
  fs::rename(fresh, to);
  sync_directory(fs::path(to).parent_path());
  fs::remove(from);
}

}  // namespace

Moves planned_moves(const NewVault& vault, const std::string& stage) {
  const Layout& to = vault.layout;
  Moves moves = {{stage + "/data", to.data()},
                 {stage + "/pin", to.pin()},
                 {stage + "/so-pin", to.so_pin()},
                 {stage + "/audit", to.dir + "/audit"},
                 {stage + "/audit.vkey", to.dir + "/audit.vkey"}};
  if (vault.module.find("softhsm") != std::string::npos) {
    moves.emplace_back(stage + "/token", to.token());
    moves.emplace_back(stage + "/softhsm2.conf", to.softhsm_conf());
  }
  for (const NewGate& gate : vault.gates) {
    moves.emplace_back(stage + "/gate-" + gate.name + ".toml", to.gate_toml(gate.name));
  }
  moves.emplace_back(stage + "/vault.toml", to.vault_toml());  // last: now it is a vault
  return moves;
}

void refuse_existing(const NewVault& vault, const Moves& moves) {
  const std::string config = vault.layout.vault_toml();
  if (fs::exists(config)) {
    throw ToolError(ExitCode::kLocal, "a vault is there already: " + config +
                                          ". A second one needs a folder of its own");
  }
  for (const auto& [from, to] : moves) {
    if (fs::exists(fs::symlink_status(to))) {
      throw ToolError(ExitCode::kLocal, to + " is there, but no " + config +
                                            ": move it away if it belongs to no vault");
    }
  }
}

void make_config_folder(const NewVault& vault) {
  const std::string& folder = vault.layout.config_dir;
  create_folders(folder);
  if (::access(folder.c_str(), W_OK) == 0) return;
  throw ToolError(ExitCode::kLocal,
                  folder + ": " + std::generic_category().message(errno) +
                      ": run this as an account that may write there, or name another folder");
}

void put_in_place(const Moves& moves) {
  for (const auto& [from, to] : moves) {
    if (!fs::exists(from)) continue;  // it was moved before a break
    std::error_code error;
    fs::rename(from, to, error);
    if (error == std::errc::cross_device_link) {
      copy_across(from, to);
    } else if (error) {
      throw ToolError(ExitCode::kLocal, to + " can't be put in place: " + error.message());
    }
  }
}

void write_files(const NewVault& vault, const NewKeys& keys, const std::string& stage) {
  NewVault running = vault;
  running.init_args = read_only_init_args(vault.init_args);
  create_file(stage + "/vault.toml", vault_toml(running, keys.token_uri), 0644, {});
  create_file(stage + "/softhsm2.conf", hsm::softhsm_conf_text(vault.layout.token()), 0644, {});
  create_file(stage + "/audit.vkey", keys.audit_vkey + "\n", 0644, {});
  for (const NewGate& gate : vault.gates) {
    create_file(stage + "/gate-" + gate.name + ".toml", gate_toml(vault, gate), 0644, {});
  }
}

void set_owners(const NewVault& vault, const std::string& stage) {
  const bool root = ::geteuid() == 0;
  const Owner daemon = root ? Owner{vault.daemon_uid, vault.daemon_uid} : Owner{};
  const Owner token = root ? Owner{0, vault.daemon_uid} : Owner{};
  set_tree_access(stage + "/data", 0700, 0600, daemon);
  create_folder(stage + "/audit", 0755, daemon);
  if (fs::exists(stage + "/pin")) set_access(stage + "/pin", 0400, daemon);
  const std::string nss = folder_of_init_args(vault.init_args);
  for (const std::string& folder : {stage + "/token", nss}) {
    if (folder.empty() || !fs::exists(folder)) continue;
    set_tree_access(folder, root ? 0750 : 0700, root ? 0440 : 0400, token);
  }
}

void make_run_folders(const NewVault& vault) {
  create_folders(vault.layout.run_dir);
  const std::string admin = vault.layout.run_dir + "/cardvaultd";
  create_folders(admin);
  const bool root = ::geteuid() == 0;
  set_access(admin, 0755, root ? Owner{vault.daemon_uid, vault.daemon_uid} : Owner{});
}

wire::AdminAnswer table_of(const std::vector<hsm::KeyReport>& reports) {
  wire::AdminAnswer answer;
  answer.columns = {"key", "kind", "check value", "of", "faults"};
  for (const hsm::KeyReport& report : reports) {
    std::string faults;
    for (const std::string& fault : report.faults) faults += (faults.empty() ? "" : "; ") + fault;
    answer.rows.push_back({report.label, report.kind, report.kcv, report.kcv_kind, faults});
  }
  return answer;
}

}  // namespace cardvault::provisioning
