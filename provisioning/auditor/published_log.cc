#include "provisioning/auditor/published_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "vault/audit/checkpoint.h"
#include "vault/audit/disk_log_files.h"

namespace cardvault::auditor {

using base::StartupError;

PublishedLog::PublishedLog(const std::string& folder)
    : folder_(folder), root_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (root_ < 0) throw StartupError(folder + ": " + std::strerror(errno));
}

PublishedLog::~PublishedLog() { ::close(root_); }

audit::ReadFile PublishedLog::files() const {
  return [root = root_](const std::string& path) { return audit::read_whole(root, path); };
}

audit::VerifierKey PublishedLog::key(const std::string& key) const {
  std::error_code ignored;
  std::string text = std::filesystem::exists(key, ignored) ? read_file(key) : key;
  std::optional<audit::VerifierKey> parsed;
  if (text.starts_with("-----BEGIN")) {
    const auto note = audit::read_whole(root_, std::string(audit::kCheckpointPath));
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
