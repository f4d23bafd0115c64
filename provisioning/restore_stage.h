// A restored vault, made aside from a backup: token, keys, databases, configuration.
#pragma once

#include <string>
#include <vector>

#include "provisioning/context.h"
#include "provisioning/init_files.h"
#include "provisioning/restore_quorum.h"
#include "provisioning/restore_records.h"

namespace cardvault::provisioning {

class RestoreStage {
 public:
  RestoreStage(const Context& context, custody::Terminal& terminal, const BackupFile& backup,
               const BackupPeople& people, NewVault vault, std::string stage);

  // Everything below the stage folder, anew, and at the end the file `ready` in it: from then on
  // there are only moves left. Throws what Terminal does, ToolError or StartupError; then nothing
  // but the stage folder is there, and the next run throws that away.
  void run(const LastKnown& last, const Quorum& quorum, const std::vector<std::string>& keys,
           std::int64_t now_ms);

 private:
  struct Secrets {
    base::SecretBuffer backup_key;
    base::SecretText so_pin, user_pin;
  };
  [[nodiscard]] Secrets gather();
  void unpack(const base::SecretBuffer& backup_key);
  [[nodiscard]] std::vector<hsm::WrappedKey> keys_to_bring(
      const std::vector<core::KeyRow>& rows) const;
  void write_configuration(const std::string& uri, const core::SigningPublicKey& audit_key,
                           const std::string& origin);
  void keep_papers(const RestoredVault& record);
  [[nodiscard]] std::string file(const std::string& name) const { return stage_ + "/" + name; }

  const Context& context_;
  custody::Terminal& terminal_;
  const BackupFile& backup_;
  const BackupPeople& people_;
  NewVault vault_;
  std::string stage_;
};

}  // namespace cardvault::provisioning
