#include "provisioning/init.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>

#include "provisioning/init_stage.h"
#include "provisioning/private_file.h"

namespace cardvault::provisioning {
namespace {

namespace fs = std::filesystem;

// A folder that only one init works in, gone again unless everything went well; so is `dir`, which
// it makes where there is none.
class Stage {
 public:
  explicit Stage(const std::string& dir)
      : dir_(dir), path_(dir + "/init.tmp"), made_(create_folders(dir)) {
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
    if (made_) fs::remove(dir_, ignored);  // an empty one
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string dir_, path_;
  bool made_;
  int fd_ = -1;
};

}  // namespace

ExitCode init_vault(const Context& context, const InitOptions& options) {
  const NewVault vault = plan_vault(options);
  const Moves moves = planned_moves(vault, vault.layout.dir + "/init.tmp");
  refuse_existing(vault, moves);
  const Stage stage(vault.layout.dir);
  refuse_existing(vault, moves);  // again, now that nobody else can be making one
  make_config_folder(vault);

  const std::string nss = folder_of_init_args(vault.init_args);
  if (!nss.empty()) create_folders(nss);
  const NewKeys keys = make_keys(context, vault, stage.path());
  create_folder(stage.path() + "/data", 0700, {});
  record_keys(stage.path() + "/data",
              context.operator_name.empty() ? login_name() : context.operator_name, keys.reports);
  write_files(vault, keys, stage.path());
  set_owners(vault, stage.path());
  if (options.run_dir.empty()) make_run_folders(vault);
  put_in_place(moves);
  ::sync();
  render(context.out, context.format, table_of(keys.reports));
  context.err << "cardvault: the vault is in " << vault.layout.dir << ", configured by "
              << vault.layout.vault_toml() << ".\nKeep " << vault.layout.so_pin()
              << " away from this machine: who has it has the keys.\n";
  return ExitCode::kDone;
}

}  // namespace cardvault::provisioning
