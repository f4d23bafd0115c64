// Verbs about the vault as a whole: status, log, backup.
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "vault/daemon/admin.h"
#include "vault/daemon/admin_answers.h"
#include "vault/daemon/log_reader.h"

namespace cardvault::daemon {

using base::Code;

namespace {

constexpr std::uint64_t kTailLines = 200;  // of a frame: an event is well below 4 KiB
constexpr auto kFollowPause = std::chrono::milliseconds(300);

}  // namespace

wire::AdminAnswer AdminService::status(const Call& call) {
  if (auto ok = record(event(call)); !ok) return failed(ok.error());
  const core::ReadyAnswer ready = vault_.ready();
  const auto token = vault_.token().description();
  wire::AdminAnswer answer;
  answer.columns = {"field", "value"};
  answer.rows = {{"state", ready.state},
                 {"time", base::format_time(vault_.clock().now_ms())},
                 {"token", token.label},
                 {"device", token.manufacturer + " " + token.model},
                 {"events", std::to_string(vault_.store().next_seq())},
                 {"clients", std::to_string(vault_.services().clients.all().size())},
                 {"bin rows", std::to_string(vault_.services().bins.load()->size())},
                 {"data", vault_.config().data_dir}};
  for (std::size_t i = 0; vault_.token().size() > 1 && i < vault_.token().size(); ++i) {
    const bool serves = vault_.token().token(i).state() == hsm::HsmState::kReady;
    answer.rows.push_back({vault_.token_name(i), serves ? "serves" : "does not serve"});
  }
  for (const std::string& note : ready.notes) answer.rows.push_back({"note", note});
  return answer;
}

wire::AdminAnswer AdminService::audit_tail(const Call& call) {
  // Reading the log is one event per session (DESIGN section 7).
  if (auto ok = record(event(call)); !ok) return failed(ok.error());
  auto log =
      LogReader::open(vault_.store(), vault_.config().audit.dir, vault_.config().audit.closed);
  if (!log) return failed(log.error());
  const bool follow = call.argument("follow") == "true";
  std::uint64_t left = call.number("limit", 10);
  const std::uint64_t next = vault_.store().next_seq();
  std::uint64_t from = call.number("from", next > left ? next - left : 0);
  wire::AdminAnswer answer;
  answer.columns = {"seq", "event"};
  while (follow || left > 0) {
    const auto lines = (*log)->read(from, follow ? kTailLines : std::min(left, kTailLines));
    if (!lines) return failed(lines.error());
    wire::AdminAnswer part;
    part.columns = answer.columns;
    for (const store::LogLine& line : *lines) {
      part.rows.push_back({std::to_string(line.seq), line.json});
      from = line.seq + 1;
    }
    if (!follow) left -= std::min<std::uint64_t>(left, lines->size());
    if (!follow && (left == 0 || lines->empty())) {
      answer.rows = std::move(part.rows);
      return answer;
    }
    if (lines->empty()) std::this_thread::sleep_for(kFollowPause);
    if (!call.emit(std::move(part))) return answer;  // nobody listens any more
  }
  return answer;
}

wire::AdminAnswer AdminService::backup(const Call& call) {
  const std::filesystem::path target = call.argument("directory");
  if (!target.is_absolute()) {
    return refusal(Code::kInvalidArgument, "name the backup's directory by an absolute path");
  }
  core::Event done = event(call);
  if (auto ok = record(done); !ok) return failed(ok.error());
  std::error_code error;
  std::filesystem::create_directory(target, error);
  if (error || !std::filesystem::is_directory(target, error)) {
    return refusal(Code::kInvalidArgument,
                   target.string() +
                       " can't be made: the daemon's user must be able to write "
                       "there, below [vault] data_dir where it is sandboxed");
  }
  ::chmod(target.c_str(), 0700);
  auto last = std::chrono::steady_clock::now();
  const auto copied = vault_.store().backup(target, [&](std::int64_t at, std::int64_t total) {
    const auto now = std::chrono::steady_clock::now();
    if (now - last < std::chrono::milliseconds(200)) return;
    last = now;
    wire::AdminAnswer part;
    part.columns = {"done", "total"};
    part.rows = {{std::to_string(at), std::to_string(total)}};
    static_cast<void>(call.emit(std::move(part)));
  });
  if (!copied) {
    if (copied.error().code == Code::kAlreadyExists) {
      return refusal(Code::kAlreadyExists, target.string() + " holds a backup already");
    }
    return failed(copied.error());
  }
  return success("vault.db and reveal.db are in " + target.string() +
                 "; they hold no card that can be read without the HSM's keys");
}

}  // namespace cardvault::daemon
