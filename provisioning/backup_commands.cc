#include "provisioning/backup_commands.h"

#include <filesystem>
#include <memory>

#include "provisioning/acts.h"
#include "provisioning/backup.h"
#include "provisioning/commands.h"

namespace cardvault::provisioning {
namespace {

constexpr const char* kKeyHelp = "audit.vkey, kept away from the vault's machine; repeatable";

void add_create(CLI::App& backup, Chosen& chosen) {
  CLI::App& app = command(
      backup, "create", "one sealed and signed file of a vault that goes on working",
      "  cardvault backup create /srv/backup/vault-$(date +%F).cvb\n"
      "Databases, wrapped keys, configuration, the custodians' papers and the log's position. No\n"
      "custodian is needed to make one; nobody opens it without enough of them.");
  const auto file = std::make_shared<std::string>();
  app.add_option("FILE", *file, "a new file")->required();
  app.callback([&chosen, file] {
    chosen = [file](const Context& context) { return create_backup(context, *file); };
  });
}

void add_verify(CLI::App& backup, Chosen& chosen) {
  CLI::App& app = command(
      backup, "verify", "check a backup's signature and every byte of it",
      "  cardvault backup verify vault-2026-11-22.cvb --key audit.vkey\n"
      "  cardvault backup verify vault-2026-11-22.cvb --key audit.vkey --open\n"
      "The second one opens it with the custodians and brings every key back on a token that is\n"
      "thrown away. Neither needs a vault.");
  const auto options = std::make_shared<VerifyBackupOptions>();
  app.add_option("FILE", options->file, "the backup")->required();
  app.add_option("--key", options->keys, kKeyHelp)->required()->take_all();
  app.add_flag("--open", options->open, "with the custodians, on a terminal");
  app.callback([&chosen, options] {
    chosen = [options](const Context& context) { return verify_backup(context, *options); };
  });
}

void add_restore(CLI::App& backup, Chosen& chosen) {
  CLI::App& app = command(
      backup, "restore", "make a vault of a backup, on a new token",
      "  cardvault backup restore vault.cvb --key audit.vkey --dir /var/lib/cardvault \\\n"
      "      --known-checkpoint checkpoint-of-the-mirror\n"
      "  cardvault approve --action /var/lib/cardvault/restore.action --key anna.key   # each\n"
      "  cardvault backup restore vault.cvb --key audit.vkey --dir /var/lib/cardvault \\\n"
      "      --known-checkpoint checkpoint-of-the-mirror --approvals *.approval");
  const auto options = std::make_shared<RestoreOptions>();
  app.add_option("FILE", options->file, "the backup")->required();
  app.add_option("--key", options->keys, kKeyHelp)->required()->take_all();
  app.add_option("--dir", options->dir, "where the vault goes")->required();
  app.add_option("--config-dir", options->config_dir,
                 "where vault.toml goes (default: as the ceremony's plan says)");
  app.add_option("--run-dir", options->run_dir,
                 "where the sockets are (default: as the ceremony's plan says)");
  app.add_option("--daemon-user", options->daemon_user,
                 "account of cardvaultd (default: as the ceremony's plan says)");
  app.add_option("--known-checkpoint", options->known,
                 "the lost log's last checkpoint that anybody has (default: the backup's)");
  app.add_option("--approvals", options->approvals, "of DIR/restore.action, by the quorum")
      ->take_all();
  app.callback([&chosen, options] {
    chosen = [options](const Context& context) { return restore_backup(context, *options); };
  });
}

}  // namespace

void add_backup_commands(CLI::App& app, Chosen& chosen) {
  CLI::App& backup = command(app, "backup", "keep a vault, and bring it back on another machine",
                             "  cardvault backup create /srv/backup/vault-$(date +%F).cvb\n"
                             "  cardvault backup verify FILE --key audit.vkey --open\n"
                             "  cardvault backup restore FILE --key audit.vkey --dir DIR");
  backup.require_subcommand(1);
  add_create(backup, chosen);
  add_verify(backup, chosen);
  add_restore(backup, chosen);
  CLI::App& copy = command(
      backup, "copy", "copy the databases alone, of a vault that goes on working",
      "  cardvault backup copy /var/lib/cardvault/data/copy-$(date +%F)\n"
      "The copy holds ciphertext only; without the HSM's keys it reveals nothing, and with\n"
      "a lost token it is worth nothing.");
  const auto directory = std::make_shared<std::string>();
  copy.add_option("DIR", *directory, "a new folder, below the vault's data_dir")->required();
  copy.callback([&chosen, directory] {
    chosen = [directory](const Context& context) {
      return act(context, "backup",
                 {{"directory", std::filesystem::absolute(*directory).string()}});
    };
  });
}

}  // namespace cardvault::provisioning
