#include "provisioning/auditor/published_log.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "vault/audit/checkpoint.h"
#include "vault/audit/proof.h"
#include "vault/audit/proven_log.h"
#include "vault/audit/segments.h"

namespace cardvault::auditor {

using base::StartupError;

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kBlanks = " \t\r\n";

bool is_file(const std::string& key) {
  std::error_code ignored;
  return std::filesystem::exists(key, ignored);
}

std::string text_of(const std::string& key) {
  std::string text = is_file(key) ? read_text(key) : key;
  text.erase(text.find_last_not_of(kBlanks) + 1);
  text.erase(0, text.find_first_not_of(kBlanks));
  return text;
}

// Tools may write what a key is above it.
bool is_pem(std::string_view text) { return text.contains("-----BEGIN PUBLIC KEY-----"); }

[[noreturn]] void refuse_key(const std::string& key) {
  throw StartupError(printable(key) + ": " +
                     (is_file(key) || key.contains('+') ? "" : "no such file, and so ") +
                     "neither a verifier key (NAME+ID+KEY, as in audit.vkey) nor a file with "
                     "one, or with a PEM public key of Ed25519 or P-256");
}

audit::VerifierKey key_in(const std::string& text, const std::string& key, const std::string& log) {
  auto parsed =
      is_pem(text) ? audit::VerifierKey::parse_pem(text, log) : audit::VerifierKey::parse(text);
  if (!parsed) refuse_key(key);
  return *parsed;
}

// The log that the closed months in a folder are of; "" where there are none.
std::string log_of_months(const std::string& folder) {
  const audit::FolderList files({folder});
  std::error_code ignored;
  for (const auto& month : std::filesystem::directory_iterator(folder + "/segment", ignored)) {
    const auto text = files.read("segment/" + month.path().filename().string() + "/manifest");
    if (!text || !*text) continue;
    if (const auto manifest = audit::parse_manifest(**text)) return manifest->log;
  }
  return "";
}

// Logs have files of the same names: months of another one would stand in this one's way.
std::vector<std::string> of_this_log(const audit::FolderList& own,
                                     std::vector<std::string> folders) {
  const auto note = own.read(std::string(audit::kCheckpointPath));
  const auto checkpoint = audit::parse_checkpoint_text(note ? note->value_or("") : std::string());
  if (!checkpoint) return folders;
  std::erase_if(folders, [&](const std::string& folder) {
    const std::string log = log_of_months(folder);
    return !log.empty() && log != checkpoint->origin;
  });
  return folders;
}

// That the log has the past that the custodians' quorum knew of.
void demand_continued(const audit::ReadFile& read, const audit::Checkpoint& now,
                      const audit::EndorsedKey& key) {
  const auto last = audit::parse_checkpoint_text(key.last_known);
  if (!last) return;
  audit::TileReader tiles(read, now.size);
  const auto proof =
      audit::consistency_proof(std::min(last->size, now.size), now.size, tiles.nodes());
  if (last->size <= now.size && proof &&
      audit::verify_consistency(last->size, last->root, now.size, now.root, *proof)) {
    return;
  }
  throw audit::NotProven(
      "the log is not a continuation of the checkpoint that the custodians' "
      "quorum knew of when it replaced the lost key, in record " +
      std::to_string(key.record));
}

}  // namespace

PublishedLog::PublishedLog(const std::string& folder, const std::vector<std::string>& also)
    : folder_(folder), own_({folder}), also_(of_this_log(own_, also)) {}

std::optional<std::string> PublishedLog::own_file(const std::string& path) const {
  auto found = own_.read(path);
  if (!found) {
    throw StartupError(folder_ + "/" + path + " can't be read: " +
                       std::generic_category().message(static_cast<int>(found.error().number)));
  }
  return std::move(*found);
}

audit::ReadFile PublishedLog::files() const {
  return [this](const std::string& path) -> base::Result<std::optional<std::string>> {
    auto found = own_file(path);
    return found ? std::move(found) : also_.read_tile(path);
  };
}

std::optional<std::string> PublishedLog::note() const {
  return own_file(std::string(audit::kCheckpointPath));
}

audit::VerifierKey PublishedLog::key(const std::string& key) const {
  const std::string text = text_of(key);  // once: it may be a pipe
  if (!is_pem(text)) return key_in(text, key, "");
  const auto checkpoint = audit::parse_checkpoint_text(note().value_or(""));
  if (!checkpoint) {
    throw StartupError(folder_ +
                       " has no checkpoint that says whose log it is, nor does a PEM key: name the "
                       "vault's audit.vkey with --key");
  }
  return key_in(text, key, checkpoint->origin);
}

audit::VerifierKey parse_key(const std::string& key, const std::string& log) {
  return key_in(text_of(key), key, log);
}

audit::Checkpoint PublishedLog::checkpoint(const audit::VerifierKey& key,
                                           const audit::QuorumJudge& judge) const {
  const auto signed_note = note();
  if (!signed_note) {
    throw StartupError(folder_ + " holds no checkpoint: is it the folder of a published log?");
  }
  return opened(*signed_note, key, judge);
}

audit::Checkpoint PublishedLog::opened(const std::string& note, const audit::VerifierKey& key,
                                       const audit::QuorumJudge& judge) const {
  auto opened = audit::open_checkpoint(note, key);
  if (opened.trust == audit::Trust::kOtherKey) {
    std::vector<audit::VerifierKey> keys = {key};
    const audit::LogView view(files(), opened.checkpoint.size);
    const auto successors = audit::find_successors(view, key, judge);
    for (const auto& next : successors.keys) keys.push_back(next.key);
    opened = audit::open_checkpoint(note, keys);
    if (opened.trust == audit::Trust::kOtherKey && !successors.refused.empty()) {
      throw audit::NotProven(successors.refused);
    }
    for (const auto& next : successors.keys) demand_continued(files(), opened.checkpoint, next);
  }
  if (opened.trust != audit::Trust::kGood) {
    throw audit::NotProven("the checkpoint is not signed by that key for that log");
  }
  return std::move(opened.checkpoint);
}

std::string endorsement(const audit::EndorsedKey& next) {
  std::string text = "key " + printable(next.key.text());
  if (next.last_known.empty()) {
    return text + ", endorsed in record " + std::to_string(next.record) + " by the one before";
  }
  const auto last = audit::parse_checkpoint_text(next.last_known);
  return text + ", endorsed in record " + std::to_string(next.record) +
         " by the custodians' quorum, not by the key before, which was lost: that one vouches for "
         "the first " +
         std::to_string(last ? last->size : 0) + " records";
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  if (!file || !(bytes << file.rdbuf())) throw StartupError(path + ": can't be read, or is empty");
  return bytes.str();
}

std::string read_text(const std::string& path) {
  std::string text = read_file(path);
  if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
  for (auto at = text.find("\r\n"); at != std::string::npos; at = text.find("\r\n", at)) {
    text.erase(at, 1);
  }
  return text;
}

std::string printable(std::string_view text) {
  std::string safe(text);
  for (char& c : safe) {
    if (c < 0x20 || c > 0x7E) c = '?';
  }
  return safe;
}

}  // namespace cardvault::auditor
