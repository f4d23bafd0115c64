#include "provisioning/ceremony_leaving.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "vault/base/clock.h"
#include "vault/custody/lines.h"
#include "vault/custody/share_register.h"

namespace cardvault::provisioning {
namespace {

namespace fs = std::filesystem;

std::string record_of(const std::string& transcript) {
  return fs::path(fs::absolute(transcript).parent_path() / "left").string();
}

std::int64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000;
}

// "so-pin, user-pin": what they hold valid shares of.
std::string secrets_of(const custody::Transcript& transcript, const std::string& name) {
  std::string out;
  const custody::ShareRegister shares(transcript);
  for (const custody::SecretName secret : custody::kAllSecrets) {
    const auto current = shares.current(secret);
    if (std::ranges::find(current, name, &custody::KnownShare::custodian) == current.end()) {
      continue;
    }
    out += (out.empty() ? "" : ", ") + std::string(custody::secret_name(secret));
  }
  return out;
}

void record(const std::string& path, const std::string& name) {
  const std::string text =
      base::format_time(now_ms()) + " " + custody::format_fields({{"custodian", name}}) + "\n";
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644);
  const bool written = fd >= 0 &&
                       ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       ::fsync(fd) == 0;
  if (fd >= 0) ::close(fd);
  if (!written) throw base::StartupError(path + ": that " + name + " left can't be recorded there");
}

std::string what_to_do(const std::string& name) {
  return "hold a ceremony of a plan without " + name +
         " for a new token, restore the backup onto it, and destroy the old token and every backup "
         "under the old backup key";
}

}  // namespace

std::vector<Left> who_left(const std::string& path, const custody::Transcript& transcript) {
  std::vector<Left> out;
  const std::string file = record_of(path);
  if (!fs::exists(file)) return out;
  std::istringstream lines(custody::read_text_file(file));
  for (std::string text; std::getline(lines, text);) {
    const auto blank = text.find(' ');
    const auto time = custody::parse_time(std::string_view(text).substr(0, blank));
    const auto fields =
        blank == std::string::npos ? std::nullopt : custody::parse_fields(text.substr(blank + 1));
    if (!time || !fields) continue;  // torn
    const std::string name = custody::field(*fields, "custodian");
    std::string secrets = secrets_of(transcript, name);
    if (!secrets.empty()) out.push_back({name, *time, std::move(secrets)});
  }
  return out;
}

ExitCode record_leaving(const Context& context, const std::string& path, const std::string& name) {
  const auto transcript = custody::parse_transcript(path, custody::read_text_file(path));
  const std::string secrets = secrets_of(transcript, name);
  if (secrets.empty()) {
    throw ToolError(ExitCode::kUsage, name + " holds no share of this transcript");
  }
  const auto left = who_left(path, transcript);
  if (std::ranges::find(left, name, &Left::name) == left.end()) {
    record(record_of(path), name);
    context.err << "cardvault: recorded in " << record_of(path)
                << "; doctor calls it an error from now on, and nothing is reshared\n";
  }
  throw ToolError(ExitCode::kRefused,
                  "what " + name + " knows can't be unlearned: old shares of " + secrets +
                      " go on rebuilding the same secrets, whatever is reshared.\nNew secrets are "
                      "needed: " +
                      what_to_do(name));
}

void check_leavers(const std::string& path, Findings& findings) {
  const auto transcript = custody::parse_transcript(path, custody::read_text_file(path));
  for (const Left& one : who_left(path, transcript)) {
    findings.push_back({Severity::kError,
                        "custodian " + one.name + " left on " +
                            base::format_time(one.time_ms).substr(0, 10) +
                            " and still knows shares of " + one.secrets,
                        what_to_do(one.name)});
  }
}

}  // namespace cardvault::provisioning
