#include "provisioning/key_restore_proof.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "provisioning/config_file.h"
#include "provisioning/exit_code.h"
#include "provisioning/key_folder_files.h"
#include "provisioning/private_file.h"
#include "provisioning/saved_softhsm_conf.h"

namespace cardvault::provisioning {
namespace {

constexpr const char* kSoftHsm = "/usr/lib/softhsm/libsofthsm2.so";

// In memory alone, also when this program is killed: nothing of the keys reaches a disk.
class Folder {
 public:
  Folder() {
    if (::mkdtemp(path_.data()) == nullptr) {
      throw ToolError(ExitCode::kLocal, path_ + ": " + std::strerror(errno) +
                                            "; the proof of a restore needs a tmpfs there");
    }
  }
  Folder(const Folder&) = delete;             // removed once
  Folder& operator=(const Folder&) = delete;  // removed once
  ~Folder() {
    try {
      wipe_folder(path_);
    } catch (const std::exception&) {
      // Half of it may stay: sealed by a PIN that is forgotten here.
    }
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_ = "/dev/shm/cardvault-proof-XXXXXX";
};

}  // namespace

void prove_restore(std::span<const hsm::WrappedKey> keys, base::SecretBuffer backup_key) {
  const SavedSoftHsmConf saved;
  const Folder folder;
  hsm::TokenConfig config;
  config.module = kSoftHsm;
  config.softhsm_conf = folder.path() + "/conf";
  create_folder(folder.path() + "/token", 0700, {});
  create_file(config.softhsm_conf, hsm::softhsm_conf_text(folder.path() + "/token"), 0600, {});
  const base::SecretText pin = hsm::random_pin();
  const auto uri = hsm::init_token(config, {"proof", hsm::random_pin(), pin.clone()});
  if (!uri) throw ToolError(ExitCode::kLocal, "no token for the proof of a restore can be made");
  config.token_uri = *uri;
  const auto back = hsm::KeyMaker::open(config, pin)->unwrap(keys, std::move(backup_key));
  if (!back) {
    throw ToolError(ExitCode::kLocal, std::string("the backup can't be restored (") +
                                          back.error().operation + ", " +
                                          std::string(base::code_name(back.error().code)) +
                                          "): it is not used, and nothing was changed");
  }
}

}  // namespace cardvault::provisioning
