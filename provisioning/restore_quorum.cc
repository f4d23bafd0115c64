#include "provisioning/restore_quorum.h"

#include <algorithm>

#include "provisioning/auditor/published_log.h"
#include "provisioning/exit_code.h"
#include "vault/audit/checkpoint.h"
#include "vault/core/text_form.h"
#include "vault/custody/lines.h"
#include "vault/custody/quorum.h"

namespace cardvault::provisioning {

LastKnown last_known(const BackupFile& backup, const std::vector<std::string>& keys,
                     const std::string& known) {
  const daemon::BackupSeal& seal = backup.seal();
  LastKnown own{backup.clear("checkpoint"), seal.checkpoint_size, seal.checkpoint_root, 0};
  if (known.empty()) return own;
  const std::string note = auditor::read_text(known);
  const auto opened = [&](const std::string& key) {
    const audit::VerifierKey one = read_verifier_key(key);
    return one.name() == seal.log && audit::open_checkpoint(note, one).trust == audit::Trust::kGood;
  };
  if (std::ranges::none_of(keys, opened)) {
    throw ToolError(ExitCode::kRefused, known + ": no checkpoint of the log \"" +
                                            auditor::printable(seal.log) +
                                            "\" signed by a key given");
  }
  const auto checkpoint = audit::parse_checkpoint_text(note);
  const std::string root = core::to_hex(checkpoint->root);
  if (checkpoint->size < own.size) return own;
  if (checkpoint->size == own.size) {
    if (root == own.root) return own;
    throw ToolError(ExitCode::kRefused,
                    known + ": the vault signed another past of " + std::to_string(own.size) +
                        " events there than in the backup: keep both, this is a forgery or a "
                        "vault that ran twice");
  }
  return {note, checkpoint->size, root, checkpoint->size - own.size};
}

custody::Action restore_action(const BackupFile& backup, const LastKnown& last,
                               std::int64_t now_ms) {
  std::vector<std::pair<std::string, std::string>> arguments = {
      {"backup", backup.seal().backup},
      {"made", backup.header().made},
      {"checkpoint", std::to_string(last.size) + " " + last.root}};
  if (last.newer != 0) {
    arguments.emplace_back("lost", std::to_string(last.newer) + " events after this backup");
  }
  return custody::make_action(backup.header().vault, "backup.restore", std::move(arguments),
                              now_ms + custody::kMaxActionLife_ms);
}

Quorum demand_quorum(const std::string& action_path, const custody::Action& wanted,
                     const std::vector<std::string>& approvals, const BackupPeople& people,
                     std::int64_t now_ms) {
  Quorum out;
  out.action = custody::read_text_file(action_path);
  const auto action = custody::parse_action(action_path, out.action);
  if (action.vault != wanted.vault || action.verb != wanted.verb ||
      action.arguments != wanted.arguments) {
    throw ToolError(ExitCode::kRefused,
                    action_path +
                        " is not about this backup and this checkpoint: move it away, run this "
                        "without --approvals, and have the new one approved");
  }
  std::vector<custody::Approval> read;
  for (const std::string& path : approvals) {
    out.approvals.push_back(custody::read_text_file(path));
    read.push_back(custody::parse_approval(path, out.approvals.back()));
  }
  const auto verdict = custody::check_quorum(action, read, people.set, now_ms);
  if (!verdict.reached) {
    std::string why = "the custodians have not approved this restore:";
    for (const std::string& problem : verdict.problems) why += "\n  " + problem;
    throw ToolError(ExitCode::kRefused, why);
  }
  out.names = verdict.approved_by;
  return out;
}

}  // namespace cardvault::provisioning
