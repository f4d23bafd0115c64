// `evidence`: what is handed to an assessor, in one archive that the vault has signed.
//
// The archive's first file is MANIFEST, a signed note (c2sp.org/signed-note) by the log's key:
//
//   cardvault evidence v1
//   vault: cardvault.local/cardvault
//   file: SHA-256 SIZE NAME           for each further file, in the archive's order
//   time: 2026-11-22T12:00:00.000Z
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "provisioning/auditor/tar.h"
#include "provisioning/auditor/terminal.h"

namespace cardvault::auditor {

inline constexpr std::string_view kManifestName = "MANIFEST";
// With a record's number behind it: an event in which a key of the log endorses the next one.
inline constexpr const char* kEndorsedName = "keys/endorsed-";

// What the vault is asked to sign: the lines of files.
[[nodiscard]] std::string evidence_list(const std::vector<TarFile>& files);

struct EvidenceOptions {
  std::string archive;
  std::string key;                           // audit.vkey's path, or its text
  std::vector<std::string> custodians = {};  // see trust_custodians()
};
// `evidence verify`: that the key, or one that it handed on to by the events among the files,
// signed the manifest, that each file is the one it lists and none is missing or added, and that
// checkpoints among them are signed by such a key too. Returns the exit code. Throws StartupError:
// nothing could be read.
[[nodiscard]] int verify_evidence(const EvidenceOptions& options, const Terminal& terminal);

}  // namespace cardvault::auditor
