#include "provisioning/backup_custody.h"

#include <filesystem>

#include "provisioning/ceremony_shares.h"
#include "provisioning/custody/transcript_check.h"
#include "provisioning/exit_code.h"
#include "vault/custody/lines.h"

namespace cardvault::provisioning {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPutBack =
    "A backup without it could not be restored: put it back from the copy of this folder, or out "
    "of "
    "an earlier backup; or have the keys wrapped anew (cardvault share renew)";

custody::Transcript read_good(const std::string& path) {
  auto transcript = custody::parse_transcript(path, custody::read_text_file(path));
  if (!custody::all_good(custody::check_transcript(transcript))) {
    throw ToolError(ExitCode::kRefused,
                    path + " does not hold: see `cardvault ceremony verify " + path + "`");
  }
  return transcript;
}

// The newest transcript whose custodians wrapped the keys, and its entry about that; a reshare's
// says nothing of it, as the secret is the one it was. "" when there is none.
std::pair<std::string, custody::Entry> last_wrapping(const std::string& folder) {
  for (const std::string& path : custody::transcripts_in(folder)) {
    const auto transcript = custody::parse_transcript(path, custody::read_text_file(path));
    const custody::Entry* entry = transcript.last("keys-wrapped");
    if (entry != nullptr) return {path, *entry};
  }
  return {};
}

}  // namespace

bool keys_as_signed(const custody::WrappedKeys& wrapped, const custody::Entry& entry) {
  const auto count = custody::parse_number(entry.get("keys"), 9999);
  if (!count || wrapped.keys.size() < *count) return false;
  custody::WrappedKeys then{wrapped.vault, wrapped.split, wrapped.keys};
  then.keys.resize(*count);
  return custody::hex(custody::sha256(custody::encode(then))) == entry.get("digest");
}

std::optional<Custody> read_custody(const std::string& folder) {
  Custody out;
  out.folder = folder;
  out.wrapped_keys_path = folder + "/wrapped-keys";
  out.newest = custody::newest_transcript(folder);
  const auto [wrapped_by, wrapping] = last_wrapping(folder);
  std::error_code ignored;
  if (!fs::exists(out.wrapped_keys_path, ignored)) {
    if (wrapped_by.empty()) return std::nullopt;
    throw ToolError(ExitCode::kRefused, out.wrapped_keys_path + " is missing, and " + wrapped_by +
                                            " says that there was one. " + kPutBack);
  }
  if (wrapped_by.empty()) {
    throw ToolError(ExitCode::kLocal, folder + ": no transcript.N in it says under which backup " +
                                          "key " + out.wrapped_keys_path +
                                          " is: put them back from their copies");
  }
  out.vault = read_good(out.newest).head.vault;
  out.recipient = wrapping.get("recipient");
  out.wrapped = custody::parse_wrapped_keys(out.wrapped_keys_path,
                                            custody::read_text_file(out.wrapped_keys_path));
  if (out.wrapped.vault != out.vault || read_good(wrapped_by).head.vault != out.vault) {
    throw ToolError(ExitCode::kRefused, out.wrapped_keys_path + " is another vault's");
  }
  if (!keys_as_signed(out.wrapped, wrapping)) {
    throw ToolError(ExitCode::kRefused, out.wrapped_keys_path +
                                            " was changed: its keys are not those that " +
                                            wrapped_by + " has the digest of. " + kPutBack);
  }
  return out;
}

}  // namespace cardvault::provisioning
