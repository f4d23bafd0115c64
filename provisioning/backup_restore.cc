#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "provisioning/backup.h"
#include "provisioning/ceremony_layout.h"
#include "provisioning/config_file.h"
#include "provisioning/init_stage.h"
#include "provisioning/key_folder_files.h"
#include "provisioning/locked_memory.h"
#include "provisioning/private_file.h"
#include "provisioning/progress.h"
#include "provisioning/restore_stage.h"

namespace cardvault::provisioning {
namespace {

namespace fs = std::filesystem;
constexpr const char* kAgain =
    "No vault was made: run the same command again, and it begins from its beginning.\n";

std::int64_t wall_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

NewVault layout_of(const BackupPeople& people, const RestoreOptions& options) {
  InitOptions init = init_options(people.plan, options.dir, false);
  if (!options.config_dir.empty()) init.config_dir = options.config_dir;
  if (!options.run_dir.empty()) init.run_dir = options.run_dir;
  if (!options.daemon_user.empty()) init.daemon_user = options.daemon_user;
  return plan_vault(init);
}

Moves moves_of(const NewVault& vault, const std::string& stage) {
  Moves moves = planned_moves(vault, stage);
  std::erase_if(moves, [&](const auto& move) { return move.first == stage + "/so-pin"; });
  moves.insert(moves.end() - 1, {stage + "/custody", vault.layout.dir + "/custody"});
  return moves;
}

// What is complete goes to its place; vault.toml last.
ExitCode end_restore(const Context& context, const NewVault& vault, const std::string& stage) {
  put_in_place(moves_of(vault, stage));
  if (vault.layout.run_dir == vault.layout.dir + "/run") make_run_folders(vault);
  fs::remove(vault.layout.dir + "/restore.action");
  fs::remove_all(stage);
  ::sync();
  context.err
      << "cardvault: the vault is in " << vault.layout.dir << ", configured by "
      << vault.layout.vault_toml()
      << ".\nBefore you start it: give the gates their certificates, and look at [admin] operators "
         "and the gates' uids.\nKeep "
      << vault.layout.dir
      << "/audit.vkey and the lost log with its audit.vkey: the new log begins where that was last "
         "seen.\nReveal budgets of this hour and day are spent (cardvault client release, with "
         "the custodians' quorum).\n";
  return ExitCode::kDone;
}

// Writes what the custodians are to approve, or leaves what is there.
ExitCode ask_for_approvals(const Context& context, const std::string& path,
                           const custody::Action& wanted, const LastKnown& last,
                           std::int64_t now_ms) {
  bool keep = false;
  if (fs::exists(path)) {
    const auto there = custody::parse_action(path, custody::read_text_file(path));
    keep = there.arguments == wanted.arguments && there.vault == wanted.vault &&
           there.expires_ms > now_ms;
    if (!keep) fs::remove(path);
  }
  if (!keep) create_file(path, custody::encode(wanted), 0644, {});
  if (last.newer != 0) {
    context.err
        << "cardvault: this backup is older than the checkpoint that is known: " << last.newer
        << " events came after it, and whatever they changed is not in it. Look for a newer "
           "backup first\n";
  }
  context.err << "cardvault: a restore takes the custodians' quorum. Each approves " << path
              << " with\n  cardvault approve --action " << path << " --key THEIR-KEY"
              << "\nThen run the same command again with --approvals and their files.\n";
  return last.newer != 0 ? ExitCode::kRefused : ExitCode::kWaits;
}

void refuse_unless_new(const NewVault& vault, const std::string& stage) {
  refuse_existing(vault, moves_of(vault, stage));
}

}  // namespace

ExitCode restore_backup(const Context& context, const RestoreOptions& options) {
  const BackupFile backup(options.file);
  {
    Progress progress(context.err, context.err_is_terminal, "reading");
    backup.check(options.keys,
                 [&](std::uint64_t done, std::uint64_t all) { progress.show(done, all); });
  }
  const BackupPeople people = people_of(backup);
  const NewVault vault = layout_of(people, options);
  const std::string stage = vault.layout.dir + "/restore.part";
  if (fs::exists(stage + "/ready")) {
    if (custody::read_text_file(stage + "/ready") != backup.seal().backup) {
      throw ToolError(ExitCode::kRefused, stage +
                                              " is a complete restore of another backup: run "
                                              "that one again to finish it");
    }
    return end_restore(context, vault, stage);
  }
  refuse_unless_new(vault, stage);
  const std::int64_t now_ms = wall_ms();
  const LastKnown last = last_known(backup, options.keys, options.known);
  const custody::Action wanted = restore_action(backup, last, now_ms);
  const std::string action = vault.layout.dir + "/restore.action";
  if (options.approvals.empty()) {
    create_folders(vault.layout.dir);
    return ask_for_approvals(context, action, wanted, last, now_ms);
  }
  if (!fs::exists(action)) {
    throw ToolError(ExitCode::kLocal,
                    action + " is not there: run this without --approvals, and have it approved");
  }
  const Quorum quorum = demand_quorum(action, wanted, options.approvals, people, now_ms);
  make_config_folder(vault);
  keep_memory(context.err);
  custody::Terminal terminal(kAgain);
  RestoreStage restoring(context, terminal, backup, people, vault, stage);
  restoring.run(last, quorum, options.keys, now_ms);
  return end_restore(context, vault, stage);
}

}  // namespace cardvault::provisioning
