#include "provisioning/ceremony_leaving.h"

#include <time.h>

#include <algorithm>

#include "provisioning/newest_transcript.h"
#include "vault/custody/left_log.h"

namespace cardvault::provisioning {
namespace {

std::int64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000;
}

}  // namespace

ExitCode record_leaving(const Context& context, const std::string& path, const std::string& name) {
  const auto transcript = read_newest(path);
  const std::string secrets = custody::secrets_of(transcript, name);
  if (secrets.empty()) {
    throw ToolError(ExitCode::kUsage, name + " holds no share of this transcript");
  }
  const auto left = custody::who_left(path, transcript);
  if (std::ranges::find(left, name, &custody::Left::name) == left.end()) {
    custody::record_left(path, name, now_ms());
    context.err << "cardvault: recorded in " << custody::left_log_path(path)
                << "; doctor calls it an error from now on, and nothing is reshared\n";
  }
  context.err
      << "cardvault: what " << name << " knows can't be unlearned: old shares of " << secrets
      << " go on rebuilding the same secrets, whatever is reshared.\nNew secrets are needed: "
      << custody::how_to_replace(name) << '\n';
  return ExitCode::kDone;
}

}  // namespace cardvault::provisioning
