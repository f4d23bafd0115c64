#include "vault/custody/left_log.h"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "vault/base/clock.h"
#include "vault/base/result.h"
#include "vault/custody/lines.h"
#include "vault/custody/medium.h"
#include "vault/custody/share_register.h"

namespace cardvault::custody {

namespace fs = std::filesystem;

std::string left_log_path(const std::string& transcript_path) {
  return (fs::absolute(transcript_path).parent_path() / "left").string();
}

void record_left(const std::string& transcript_path, const std::string& name, std::int64_t now_ms) {
  const std::string path = left_log_path(transcript_path);
  const std::string text = base::format_time(now_ms) + " " + format_fields({{"custodian", name}});
  if (const int error = append_line(path, text); error != 0) {
    throw base::StartupError(path + ": that " + name +
                             " left can't be recorded there: " + explain_write(error));
  }
}

std::vector<Left> all_who_left(const std::string& transcript_path, const Transcript& transcript) {
  std::vector<Left> out;
  const std::string file = left_log_path(transcript_path);
  if (!fs::exists(file) || fs::is_empty(file)) return out;  // the first one failed
  std::istringstream lines(read_text_file(file));
  for (std::string text; std::getline(lines, text);) {
    const auto blank = text.find(' ');
    const auto time = parse_time(std::string_view(text).substr(0, blank));
    const auto fields =
        blank == std::string::npos ? std::nullopt : parse_fields(text.substr(blank + 1));
    if (!time || !fields) continue;  // torn
    const std::string name = field(*fields, "custodian");
    out.push_back({name, *time, secrets_of(transcript, name)});
  }
  return out;
}

std::vector<Left> who_left(const std::string& transcript_path, const Transcript& transcript) {
  auto out = all_who_left(transcript_path, transcript);
  std::erase_if(out, [](const Left& one) { return one.secrets.empty(); });
  return out;
}

std::string secrets_of(const Transcript& transcript, const std::string& name) {
  std::string out;
  const ShareRegister shares(transcript);
  for (const SecretName secret : kAllSecrets) {
    const auto current = shares.current(secret);
    if (std::ranges::find(current, name, &KnownShare::custodian) == current.end()) {
      continue;
    }
    out += (out.empty() ? "" : ", ") + std::string(secret_name(secret));
  }
  return out;
}

std::string how_to_replace(const std::string& name) {
  return "`cardvault share renew` with a plan without " + name +
         ", then destroy every backup made before";
}

}  // namespace cardvault::custody
