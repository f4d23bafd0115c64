#include "provisioning/backup.h"
#include "provisioning/backup_key.h"
#include "provisioning/backup_people.h"
#include "provisioning/custody/wrapped_keys.h"
#include "provisioning/key_restore_proof.h"
#include "provisioning/progress.h"

namespace cardvault::provisioning {
namespace {

constexpr const char* kAgain = "Nothing was changed: run the same command again.\n";
constexpr std::size_t kMaxKept = 1 << 20;  // of a member kept in memory

wire::AdminAnswer describe(const BackupFile& backup) {
  const BackupHeader& header = backup.header();
  const daemon::BackupSeal& seal = backup.seal();
  wire::AdminAnswer answer;
  answer.columns = {"field", "value"};
  answer.rows = {{"vault", header.vault},
                 {"log", seal.log},
                 {"time", seal.time},
                 {"published events", std::to_string(seal.checkpoint_size)},
                 {"parts", std::to_string(header.members.size() + header.clear.size())},
                 {"bytes", std::to_string(header.plain_size())},
                 {"sha256", seal.backup}};
  return answer;
}

// Whether its wrapped keys are the file that the custodians signed for, as far as shows unopened.
std::string about_keys(const BackupFile& backup, const custody::Transcript& transcript) {
  const custody::Entry* wrapped = transcript.last("keys-wrapped");
  for (const BackupPart& part : backup.header().members) {
    if (part.name != "custody/wrapped-keys") continue;
    if (wrapped == nullptr) return "of an earlier transcript; --open tries them";
    if (custody::hex(part.digest) == wrapped->get("digest")) return "as the custodians signed for";
    return "others than the custodians signed for: keys were rotated or restored since, or the "
           "file "
           "was damaged; --open tells which";
  }
  return "none: it can't be restored";
}

// Every chunk, with the custodians; then every key.
std::size_t open_all(const Context& context, const BackupFile& backup) {
  const BackupPeople people = people_of(backup);
  custody::Terminal terminal(kAgain);
  Desk desk(terminal, people.plan);
  terminal.say("The custodians open the backup of " + backup.header().made +
               ". Nothing is restored.");
  base::SecretBuffer key = rebuild_backup_key(desk, people, backup.header());
  std::string wrapped;
  bool keep = false;
  Progress progress(context.err, context.err_is_terminal, "opening");
  const BackupFile::Taker taker{[&](const BackupPart& part) {
                                  keep =
                                      part.name == "custody/wrapped-keys" && part.size <= kMaxKept;
                                },
                                [&](std::span<const std::uint8_t> piece) {
                                  if (keep) wrapped += base::as_text(piece);
                                },
                                [] {}};
  backup.open(backup_opener(key, backup.header().vault).get(), taker,
              [&](std::uint64_t done, std::uint64_t all) { progress.show(done, all); });
  const auto keys = custody::parse_wrapped_keys("custody/wrapped-keys", wrapped);
  prove_restore(keys.keys, std::move(key));
  return keys.keys.size();
}

}  // namespace

ExitCode verify_backup(const Context& context, const VerifyBackupOptions& options) {
  const BackupFile backup(options.file);
  {
    Progress progress(context.err, context.err_is_terminal, "reading");
    backup.check(options.keys,
                 [&](std::uint64_t done, std::uint64_t all) { progress.show(done, all); });
  }
  wire::AdminAnswer answer = describe(backup);
  answer.rows.push_back({"wrapped keys", about_keys(backup, people_of(backup).transcript)});
  if (options.open) {
    const std::size_t keys = open_all(context, backup);
    answer.rows.push_back({"opened", "every chunk; " + std::to_string(keys) +
                                         " keys came back with their check values"});
  }
  render(context.out, context.format, answer);
  context.err << "cardvault: " << options.file << " is whole and signed by the vault"
              << (options.open ? "\n" : "; whether the custodians can open it shows --open\n");
  return ExitCode::kDone;
}

}  // namespace cardvault::provisioning
