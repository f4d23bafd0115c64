// What the vault finds when it examines itself.
#include "vault/daemon/admin.h"
#include "vault/daemon/admin_answers.h"
#include "vault/daemon/client_findings.h"
#include "vault/daemon/custody_findings.h"
#include "vault/daemon/key_findings.h"
#include "vault/daemon/token_findings.h"

namespace cardvault::daemon {

using base::Code;

namespace {

constexpr std::int64_t kRenewMs = 30LL * 86'400 * 1000;

// Severity, what, and what to do, of each recipient whose certificate has ended or will soon.
std::vector<std::vector<std::string>> examine_recipients(
    const std::vector<core::Recipient>& recipients, std::int64_t now_ms) {
  std::vector<std::vector<std::string>> findings;
  for (const core::Recipient& one : recipients) {
    const std::int64_t end = one.current(now_ms).not_after_ms;
    const std::string what = "recipient " + one.name + ": its certificate ";
    const std::string todo = "`cardvault recipient replace " + one.name + " --cert FILE ...`";
    const bool renewed = !one.next.der.empty() && one.next_from_ms > now_ms &&
                         one.next_from_ms <= end && one.next.not_after_ms - now_ms > kRenewMs;
    if (end < now_ms) {
      findings.push_back({"error", what + "ended on " + base::format_time(end), todo});
    } else if (end - now_ms < kRenewMs && !renewed) {
      findings.push_back({"warning", what + "ends on " + base::format_time(end), todo});
    }
  }
  return findings;
}

}  // namespace

wire::AdminAnswer AdminService::doctor(const Call& call) {
  if (auto ok = record(event(call)); !ok) return failed(ok.error());
  wire::AdminAnswer answer;
  answer.columns = {"severity", "what", "what to do"};
  const auto find = [&](std::string severity, std::string what, std::string todo) {
    answer.rows.push_back({std::move(severity), std::move(what), std::move(todo)});
  };
  const core::ReadyAnswer ready = vault_.ready();
  if (ready.ready) find("ok", "the vault takes requests", "");
  if (std::string note = vault_.software_note(); !note.empty()) {
    find("warning", std::move(note),
         "for real cards configure a hardware token: [hsm] module and token");
  }
  for (auto& row : examine_tokens(vault_)) answer.rows.push_back(std::move(row));
  if (const auto store = vault_.store().committer().state(); !store) {
    find("error", "the store refuses: " + std::string(base::code_name(store.error().code)),
         store.error().code == Code::kStorageFull
             ? "free space on the disk of [vault] data_dir; the vault goes on by itself"
             : "check the disk of [vault] data_dir (dmesg, smartctl); the vault tries each second");
  } else {
    find("ok", "the store takes commits", "");
  }
  if (const std::string loss = vault_.log_key_loss(); !loss.empty()) {
    find(
        "error", "the log can't be signed, and requests are refused: " + loss,
        "find out where the key went, which may be a theft; `cardvault key replace audit-sign` has "
        "the custodians' quorum put another in its place");
  } else if (const auto fault = vault_.log_fault(); fault->state == kLogKeyLost) {
    find("warning", "audit-sign was replaced, and the log is not opened with it yet",
         "ask again in a moment: until then requests are refused");
  } else if (!fault->state.empty()) {
    find("error",
         "the published log in " + vault_.config().audit.dir + " can't be continued: " + fault->why,
         "keep it as it is for the investigation; put back the folder that belongs to these "
         "databases, and the vault goes on by itself (docs/audit.md)");
  } else {
    find("ok", "the published log continues what was published", "");
  }
  if (const auto disk = vault_.disk(); disk->level != DiskLevel::kEnough) {
    const char* refused = disk->level == DiskLevel::kLow ? ""
                          : disk->level == DiskLevel::kNoReveals
                              ? "; reveals are refused"
                              : "; reveals and writes are refused";
    find(disk->level == DiskLevel::kLow ? "warning" : "error", disk->what + refused,
         "free space, or move closed months of the log away (docs/audit.md); the vault goes on by "
         "itself");
  } else {
    find("ok", "the disks have space", "");
  }
  if (!vault_.clock().trusted()) {
    find("error", "the clock is in doubt by " + std::to_string(vault_.clock().offset_ms()) + " ms",
         "set the host's clock, then `cardvault clock confirm`");
  } else {
    find("ok", "the clock is trusted", "");
  }
  if (vault_.services().bins.load()->size() == 0) {
    find("warning", "the BIN table is empty: every card is refused", "`cardvault bin import FILE`");
  }
  if (vault_.services().clients.all().empty()) {
    find("warning", "no client is registered", "`cardvault client add ID --cert FILE`");
  }
  for (const core::KeyPurpose purpose : {core::KeyPurpose::kPanEnc, core::KeyPurpose::kIdEnc}) {
    const core::KeyRef key = vault_.services().keys.get(purpose);
    const auto& meter = vault_.services().invocations;
    if (meter.used(key) >= meter.limit() / 10 * 9) {
      find("warning", core::key_label(key) + " is near its 2^32 encryptions (SP 800-38D)",
           "`cardvault key rotate " + std::string(core::key_purpose_name(purpose)) + "`");
    }
  }
  for (auto& row : examine_custody(vault_)) answer.rows.push_back(std::move(row));
  for (auto& row : examine_keys(vault_, rewrapper_.status())) {
    answer.rows.push_back(std::move(row));
  }
  for (auto& row :
       examine_recipients(*vault_.services().recipients.all(), vault_.clock().now_ms())) {
    answer.rows.push_back(std::move(row));
  }
  for (auto& row : examine_clients(vault_)) answer.rows.push_back(std::move(row));
  if (!vault_.config().two_operators.empty() && vault_.config().operators.size() < 2) {
    find("warning",
         "[admin] two_operators asks for two operators, and fewer are named: what it lists can't "
         "be done",
         "name a second one in [admin] operators, or say two_operators = []");
  }
  return answer;
}

}  // namespace cardvault::daemon
