#include "vault/custody/drill_log.h"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "vault/base/clock.h"
#include "vault/base/result.h"
#include "vault/custody/lines.h"
#include "vault/custody/medium.h"

namespace cardvault::custody {

std::string drill_log_path(const std::string& transcript_path) {
  return transcript_path + ".drills";
}

void record_drill(const std::string& transcript_path, const KnownShare& share,
                  std::int64_t now_ms) {
  const std::string path = drill_log_path(transcript_path);
  const std::string text = base::format_time(now_ms) + " " +
                           format_fields(share_fields(share.label, share.custodian, share.digest));
  if (const int error = append_line(path, text); error != 0) {
    throw base::StartupError(path + ": the drill can't be recorded there: " + explain_write(error));
  }
}

std::vector<Drill> last_drills(const std::string& transcript_path) {
  const Transcript transcript = parse_transcript(transcript_path, read_text_file(transcript_path));
  const ShareRegister shares(transcript);
  std::vector<Drill> out;
  for (const SecretName secret : kAllSecrets) {
    for (const KnownShare& share : shares.current(secret)) out.push_back({share});
  }
  for (Drill& one : out) {
    for (const Entry& entry : transcript.entries) {
      const bool of_it = entry.verb.starts_with("share-") &&
                         entry.get("secret") == secret_name(one.share.label.secret) &&
                         entry.get("generation") == std::to_string(one.share.label.generation) &&
                         entry.get("index") == std::to_string(one.share.label.index);
      if (!of_it) continue;
      const auto since = parse_time(entry.get("since"));  // carried over by a reshare
      one.delivered_ms = since.value_or(entry.time_ms);
    }
  }
  const std::string path = drill_log_path(transcript_path);
  // One that is empty is the first one's that failed.
  if (!std::filesystem::exists(path) || std::filesystem::is_empty(path)) return out;
  std::istringstream lines(read_text_file(path));
  std::string text;
  while (std::getline(lines, text)) {
    const auto blank = text.find(' ');
    const auto time = parse_time(std::string_view(text).substr(0, blank));
    const auto fields =
        blank == std::string::npos ? std::nullopt : parse_fields(text.substr(blank + 1));
    if (!time || !fields) continue;
    for (Drill& one : out) {
      if (field(*fields, "digest") == hex(one.share.digest)) {
        one.proven_ms = std::max(one.proven_ms, *time);
      }
    }
  }
  return out;
}

}  // namespace cardvault::custody
