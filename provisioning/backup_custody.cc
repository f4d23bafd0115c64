#include "provisioning/backup_custody.h"

#include <filesystem>

#include "provisioning/ceremony_shares.h"
#include "provisioning/custody/transcript_check.h"
#include "provisioning/exit_code.h"

namespace cardvault::provisioning {
namespace {

namespace fs = std::filesystem;

custody::Transcript read_good(const std::string& path) {
  auto transcript = custody::parse_transcript(path, custody::read_text_file(path));
  if (!custody::all_good(custody::check_transcript(transcript))) {
    throw ToolError(ExitCode::kRefused,
                    path + " does not hold: see `cardvault ceremony verify " + path + "`");
  }
  return transcript;
}

}  // namespace

std::string recipient_of(const custody::Transcript& transcript) {
  const custody::Entry* entry = transcript.last("keys-wrapped");
  return entry == nullptr ? "" : entry->get("recipient");
}

std::optional<Custody> read_custody(const daemon::Config& config) {
  Custody out;
  out.folder = config.unseal.custody_dir;
  out.wrapped_keys_path = out.folder + "/wrapped-keys";
  if (!fs::exists(out.wrapped_keys_path)) return std::nullopt;
  out.wrapped = custody::parse_wrapped_keys(out.wrapped_keys_path,
                                            custody::read_text_file(out.wrapped_keys_path));
  out.newest = custody::newest_transcript(out.folder);
  if (out.newest.empty()) {
    throw ToolError(ExitCode::kLocal, out.folder +
                                          ": it has no transcript.N; put it back from its "
                                          "copy");
  }
  const custody::Transcript newest = read_good(out.newest);
  out.vault = newest.head.vault;
  out.recipient = recipient_of(newest);
  // A reshare's transcript says nothing of it: the secret is the one it was.
  for (const auto& entry : fs::directory_iterator(out.folder)) {
    const std::string path = entry.path();
    if (!out.recipient.empty()) break;
    if (!entry.path().filename().string().starts_with("transcript.") || path.ends_with(".drills")) {
      continue;
    }
    const custody::Transcript earlier = read_good(path);
    if (earlier.head.vault == out.vault) out.recipient = recipient_of(earlier);
  }
  if (out.wrapped.vault != out.vault) {
    throw ToolError(ExitCode::kRefused, out.wrapped_keys_path + " is another vault's");
  }
  return out;
}

}  // namespace cardvault::provisioning
