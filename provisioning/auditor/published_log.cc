#include "provisioning/auditor/published_log.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "vault/audit/checkpoint.h"

namespace cardvault::auditor {

using base::StartupError;

PublishedLog::PublishedLog(const std::string& folder, const std::vector<std::string>& also)
    : folder_(folder), own_({folder}), also_(also) {}

audit::ReadFile PublishedLog::files() const {
  return [this](const std::string& path) {
    auto found = own_.read(path);
    return found && !*found ? also_.read_tile(path) : std::move(found);
  };
}

audit::VerifierKey PublishedLog::key(const std::string& key) const {
  std::error_code ignored;
  std::string text = std::filesystem::exists(key, ignored) ? read_file(key) : key;
  std::optional<audit::VerifierKey> parsed;
  if (text.starts_with("-----BEGIN")) {
    const auto note = own_.read(std::string(audit::kCheckpointPath));
    const auto checkpoint = audit::parse_checkpoint_text(note ? note->value_or("") : std::string());
    if (!checkpoint) {
      throw StartupError(folder_ + " has no checkpoint that says whose log it is");
    }
    parsed = audit::VerifierKey::parse_pem(text, checkpoint->origin);
  } else {
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    parsed = audit::VerifierKey::parse(text);
  }
  if (!parsed) {
    throw StartupError(printable(key) +
                       ": neither a verifier key (NAME+ID+KEY, as in audit.vkey) nor a file with "
                       "one, or with a PEM public key of Ed25519 or P-256");
  }
  return *parsed;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  if (!file || !(bytes << file.rdbuf())) throw StartupError(path + ": can't be read, or is empty");
  return bytes.str();
}

std::string printable(std::string_view text) {
  std::string safe(text);
  for (char& c : safe) {
    if (c < 0x20 || c > 0x7E) c = '?';
  }
  return safe;
}

}  // namespace cardvault::auditor
