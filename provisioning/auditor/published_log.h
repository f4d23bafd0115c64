// The folder of a published log and the key to check it with, as the command line names them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vault/audit/checkpoint.h"
#include "vault/audit/disk_log_files.h"
#include "vault/audit/key_chain.h"
#include "vault/audit/tile_reader.h"
#include "vault/audit/verifier_key.h"

namespace cardvault::auditor {

// Thread-safe after construction.
class PublishedLog {
 public:
  // What is not in `folder` is looked for in those of `also`: files of closed months that were
  // moved away (docs/audit.md). Folders whose months are another log's are left out. Throws
  // StartupError: no such folder.
  explicit PublishedLog(const std::string& folder, const std::vector<std::string>& also = {});

  [[nodiscard]] audit::ReadFile files() const;
  // The checkpoint as it is, where there is one. Throws StartupError: it can't be read.
  [[nodiscard]] std::optional<std::string> note() const;
  // `key` is a verifier key, or a file that holds one or a PEM public key; the latter is taken to
  // be of the log that the folder's checkpoint names. Throws StartupError.
  [[nodiscard]] audit::VerifierKey key(const std::string& key) const;
  // What the key, or one that the log hands on to from it, signed as the log's state. The newest
  // key is the fastest: to find those after an older one, all records are read. Throws StartupError
  // when there is no checkpoint, NotProven when it is not signed by that key for that log. `judge`
  // as of KeyChain.
  [[nodiscard]] audit::Checkpoint checkpoint(const audit::VerifierKey& key,
                                             const audit::QuorumJudge& judge) const;
  // The same of a checkpoint (a note) of this log's past that is kept elsewhere. Throws NotProven.
  [[nodiscard]] audit::Checkpoint opened(const std::string& note, const audit::VerifierKey& key,
                                         const audit::QuorumJudge& judge) const;

 private:
  // Of the folder itself. Throws StartupError for what is there and can't be read.
  [[nodiscard]] std::optional<std::string> own_file(const std::string& path) const;

  std::string folder_;
  audit::FolderList own_, also_;
};

// By whose word a key of the log came after another, as a line.
[[nodiscard]] std::string endorsement(const audit::EndorsedKey& next);
// A verifier key's text, or a file that holds it or a PEM public key, which is taken to be of
// `log`. Throws StartupError.
[[nodiscard]] audit::VerifierKey parse_key(const std::string& key, const std::string& log);
// A file's bytes. Throws StartupError.
[[nodiscard]] std::string read_file(const std::string& path);
// The same of a text that may have been saved by another system: without its byte order mark, and
// with this one's line ends. Signatures over it hold as they did, or not at all.
[[nodiscard]] std::string read_text(const std::string& path);
// With '?' for whatever a terminal could take for more than text.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace cardvault::auditor
