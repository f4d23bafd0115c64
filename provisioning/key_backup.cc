#include "provisioning/key_backup.h"

#include <array>
#include <filesystem>

#include "provisioning/ceremony_desk.h"
#include "provisioning/exit_code.h"
#include "provisioning/key_folder_files.h"
#include "provisioning/key_restore_proof.h"
#include "provisioning/private_file.h"
#include "vault/daemon/key_states.h"

namespace cardvault::provisioning {
namespace {

namespace fs = std::filesystem;

constexpr const char* kAgain = "Nothing was changed: run the same command again.\n";

class CustodiansBackup final : public KeyBackup {
 public:
  CustodiansBackup(std::string path, base::SecretBuffer backup_key)
      : path_(std::move(path)), backup_key_(std::move(backup_key)) {}

  void wrap(hsm::KeyMaker& token, core::KeyRef key) override {
    auto wrapped = token.wrap(std::array{key}, backup_key_);
    if (!wrapped) {
      throw ToolError(ExitCode::kLocal, core::key_label(key) +
                                            " can't be wrapped for its backup (" +
                                            wrapped.error().operation + "): nothing was changed");
    }
    wrapped_ = std::move(*wrapped);
  }

  void prove() override {
    prove_restore(wrapped_, backup_key_);
    add_wrapped_keys(path_, wrapped_);
  }

 private:
  std::string path_;
  base::SecretBuffer backup_key_;
  std::vector<hsm::WrappedKey> wrapped_;
};

}  // namespace

std::unique_ptr<KeyBackup> open_key_backup(const daemon::Config& config,
                                           const std::string& purpose) {
  const auto known = daemon::parse_purpose(purpose);
  if (!known || core::is_signature(*known)) return nullptr;
  const auto custody = read_custody(config.unseal.custody_dir);
  if (!custody) return nullptr;
  return std::make_unique<CustodiansBackup>(
      custody->wrapped_keys_path,
      enter_backup_key(*custody, "The next version of " + purpose +
                                     " is wrapped under the custodians' backup key before it is "
                                     "used."));
}

base::SecretBuffer enter_backup_key(const Custody& custody, const std::string& said) {
  const auto transcript =
      custody::parse_transcript(custody.newest, custody::read_text_file(custody.newest));
  const auto plan = custody::parse_plan(custody.newest, transcript.head.plan);
  custody::Terminal terminal(kAgain);
  Desk desk(terminal, plan);
  terminal.say(said);
  return desk.rebuild(custody::ShareRegister(transcript), custody::SecretName::kBackupKey);
}

void add_wrapped_keys(const std::string& path, const std::vector<hsm::WrappedKey>& fresh) {
  auto wrapped = custody::parse_wrapped_keys(path, custody::read_text_file(path));
  for (const hsm::WrappedKey& one : fresh) {
    std::erase_if(wrapped.keys, [&](const auto& key) { return key.label == one.label; });
    wrapped.keys.push_back(one);
  }
  fs::remove(path + ".new");
  create_file(path + ".new", custody::encode_with_digest(wrapped), 0600, {});
  fs::rename(path + ".new", path);
  sync_directory(fs::path(path).parent_path());
}

}  // namespace cardvault::provisioning
