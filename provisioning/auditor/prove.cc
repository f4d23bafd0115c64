#include "provisioning/auditor/prove.h"

#include "provisioning/auditor/custodians_word.h"
#include "provisioning/auditor/published_log.h"
#include "vault/audit/base64.h"
#include "vault/audit/checkpoint.h"
#include "vault/audit/proof.h"
#include "vault/audit/proven_log.h"

namespace cardvault::auditor {
namespace {

int refuse(const Terminal& terminal, const std::string& what) {
  terminal.err << "cardvault-audit: " << what << ": `audit verify` says more\n";
  return kNotVerified;
}

// What this account or this machine can't read is no word about the log.
void say_unless_changed(const base::Error& error) {
  if (error.code == base::Code::kStoreFailed) {
    throw base::StartupError(std::string("the log's files can't be read (") + error.operation +
                             ", errno " + std::to_string(error.number) + ")");
  }
  if (error.code == base::Code::kNotFound) {
    throw audit::NotProven(
        "a file that the proof takes is missing: where files of closed months were moved away, "
        "name their folder with --also");
  }
}

}  // namespace

int prove(const ProveOptions& options, const Terminal& terminal) {
  const PublishedLog log(options.folder, options.also);
  const auto read = log.files();
  const std::string note = log.note().value_or("");
  const auto checkpoint = audit::parse_checkpoint_text(note);
  if (!checkpoint) throw base::StartupError(options.folder + " holds no checkpoint");
  if (!options.key.empty()) {
    static_cast<void>(log.opened(note, log.key(options.key), trust_custodians(options.custodians)));
  }
  if (options.record >= checkpoint->size) {
    throw base::StartupError("the log has the records 0 to " +
                             std::to_string(checkpoint->size - 1));
  }
  audit::TileReader tiles(read, checkpoint->size);
  const auto entry = tiles.entry(options.record);
  const auto proof = audit::inclusion_proof(options.record, checkpoint->size, tiles.nodes());
  if (!entry) say_unless_changed(entry.error());
  if (!proof) say_unless_changed(proof.error());
  if (!entry || !proof ||
      !audit::verify_inclusion(audit::leaf_hash(*entry), options.record, checkpoint->size, *proof,
                               checkpoint->root)) {
    return refuse(terminal, "the record can't be proven: it, or the tiles over it, were changed");
  }
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(entry->data());
  terminal.out << "c2sp.org/tlog-proof@v1\nextra " << audit::to_base64({bytes, entry->size()})
               << "\nindex " << options.record << '\n';
  for (const audit::Hash& hash : *proof) terminal.out << audit::to_base64(hash) << '\n';
  terminal.out << '\n' << note;
  return kVerified;
}

}  // namespace cardvault::auditor
