#include "provisioning/init.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>

#include "provisioning/new_keys.h"
#include "provisioning/private_file.h"

namespace cardvault::provisioning {
namespace {

namespace fs = std::filesystem;

// A folder that only one init works in, gone again unless everything went well.
class Stage {
 public:
  explicit Stage(const std::string& dir) : path_(dir + "/init.tmp") {
    fd_ = ::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd_ < 0 || ::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      throw ToolError(ExitCode::kLocal, dir + ": another init works there, or it can't be opened");
    }
    fs::remove_all(path_);  // of one that was killed: no vault ever used it
    create_folder(path_, 0700, {});
  }
  Stage(const Stage&) = delete;             // one owner removes the folder
  Stage& operator=(const Stage&) = delete;  // one owner removes the folder
  ~Stage() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  int fd_ = -1;
};

using Moves = std::vector<std::pair<std::string, std::string>>;  // from, to; in this order

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

// The daemon owns its data and reads its PIN; the token's files are the tool's, and only to be read
// by the daemon (DESIGN 4.2 trap 1). Without root they are the same account's, and read-only.
void set_owners(const NewVault& vault, const std::string& stage) {
  const bool root = ::geteuid() == 0;
  const Owner daemon = root ? Owner{vault.daemon_uid, vault.daemon_uid} : Owner{};
  const Owner token = root ? Owner{0, vault.daemon_uid} : Owner{};
  set_tree_access(stage + "/data", 0700, 0600, daemon);
  create_folder(stage + "/audit", 0755, daemon);
  set_access(stage + "/pin", 0400, daemon);
  const std::string nss = folder_of_init_args(vault.init_args);
  for (const std::string& folder : {stage + "/token", nss}) {
    if (folder.empty() || !fs::exists(folder)) continue;
    set_tree_access(folder, root ? 0750 : 0700, root ? 0440 : 0400, token);
  }
}

// The sockets' folders, where no tmpfiles.d(5) makes them.
void make_run_folders(const NewVault& vault) {
  fs::create_directories(vault.layout.run_dir);
  const std::string admin = vault.layout.run_dir + "/cardvaultd";
  fs::create_directories(admin);
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

}  // namespace

ExitCode init_vault(const Context& context, const InitOptions& options) {
  const NewVault vault = plan_vault(options);
  fs::create_directories(vault.layout.dir);
  fs::create_directories(vault.layout.config_dir);
  const Moves moves = planned_moves(vault, vault.layout.dir + "/init.tmp");
  refuse_existing(vault, moves);
  const Stage stage(vault.layout.dir);
  refuse_existing(vault, moves);  // again, now that nobody else can be making one

  const std::string nss = folder_of_init_args(vault.init_args);
  if (!nss.empty()) fs::create_directories(nss);
  const NewKeys keys = make_keys(context, vault, stage.path());
  create_folder(stage.path() + "/data", 0700, {});
  record_keys(stage.path() + "/data",
              context.operator_name.empty() ? login_name() : context.operator_name, keys.reports);
  write_files(vault, keys, stage.path());
  set_owners(vault, stage.path());
  if (options.run_dir.empty()) make_run_folders(vault);
  for (const auto& [from, to] : moves) fs::rename(from, to);
  ::sync();
  render(context.out, context.format, table_of(keys.reports));
  context.err << "cardvault: the vault is in " << vault.layout.dir << ", configured by "
              << vault.layout.vault_toml() << ".\nKeep " << vault.layout.so_pin()
              << " away from this machine: who has it has the keys.\n";
  return ExitCode::kDone;
}

}  // namespace cardvault::provisioning
