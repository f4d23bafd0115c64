#include "vault/daemon/custody_findings.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "vault/custody/drill_log.h"
#include "vault/custody/left_log.h"
#include "vault/daemon/quorum_word.h"

namespace cardvault::daemon {
namespace {

using Findings = std::vector<std::vector<std::string>>;

constexpr std::int64_t kDayMs = 86'400'000;

std::int64_t last_proven_ms(const custody::Drill& one) {
  return std::max(one.proven_ms, one.delivered_ms);
}

std::string name_of(const custody::KnownShare& share) {
  return share.custodian + "'s share of " + std::string(custody::secret_name(share.label.secret));
}

// Throws StartupError when the transcript can't be read; empty where there was no ceremony.
std::vector<custody::Drill> drills_of(const UnsealConfig& config) {
  const std::string path = custody::newest_transcript(config.custody_dir);
  return path.empty() ? std::vector<custody::Drill>() : custody::last_drills(path);
}

bool is_registered(Vault& vault, const std::string& name) {
  const auto reader = vault.store().make_reader();
  if (!reader) return false;
  const auto set = registered_custodians(**reader);
  return set && *set &&
         std::ranges::find((*set)->custodians, name, &custody::Custodian::name) !=
             (*set)->custodians.end();
}

void examine_leavers(Vault& vault, const std::string& path, Findings& findings) {
  const auto transcript = custody::parse_transcript(path, custody::read_text_file(path));
  for (const custody::Left& one : custody::all_who_left(path, transcript)) {
    const std::string who =
        "custodian " + one.name + " left on " + base::format_time(one.time_ms).substr(0, 10);
    if (!one.secrets.empty()) {
      findings.push_back({"error", who + " and still knows shares of " + one.secrets,
                          custody::how_to_replace(one.name)});
    }
    if (is_registered(vault, one.name)) {
      findings.push_back(
          {"error", who + " and still approves acts",
           "`cardvault custodian draft` a register of those who stay, have each sign "
           "it, and `cardvault custodian register` it with their approvals"});
    }
  }
}

// When the newest renewal came to its end; 0 when there was none.
std::int64_t renewed_ms(const std::string& newest) {
  const std::string stem = newest.substr(0, newest.rfind('.') + 1);
  for (unsigned long n = std::stoul(newest.substr(stem.size())); n != 0; --n) {
    const std::string path = stem + std::to_string(n);
    if (!std::filesystem::exists(path)) continue;
    const auto transcript = custody::parse_transcript(path, custody::read_text_file(path));
    const custody::Entry* end = transcript.last("end");
    if (transcript.head.kind == "renewal" && end != nullptr) return end->time_ms;
  }
  return 0;
}

void examine_old_backups(Vault& vault, const std::string& path, Findings& findings) {
  const std::int64_t time_ms = renewed_ms(path);
  if (time_ms == 0) return;
  const std::string time = base::format_time(time_ms).substr(0, 19) + "Z";
  findings.push_back({"note",
                      "the custodians' secrets were renewed at " + time +
                          ": every backup made before opens with the shares of before",
                      "destroy what `cardvault-audit find " + vault.config().audit.dir +
                          " --key audit.vkey --operation backup.seal --until " + time +
                          "` lists, and those shares"});
}

void examine_shares(Vault& vault, Findings& findings) {
  const UnsealConfig& config = vault.config().unseal;
  const std::int64_t now_ms = vault.clock().now_ms();
  const std::string path = custody::newest_transcript(config.custody_dir);
  if (path.empty()) {
    if (!std::filesystem::exists(config.custody_dir)) return;  // no ceremony was held
    throw base::StartupError(config.custody_dir + ": it has no transcript.N");
  }
  examine_leavers(vault, path, findings);
  examine_old_backups(vault, path, findings);
  const auto drills = custody::last_drills(path);
  const std::string how = "`cardvault share drill --transcript " + path + "`";
  struct Count {
    unsigned proven = 0, needed = 0;
  };
  std::map<custody::SecretName, Count> counts;
  for (const custody::Drill& one : drills) {
    Count& count = counts[one.share.label.secret];
    count.needed = one.share.label.threshold;
    if (now_ms - last_proven_ms(one) <= config.drill_warning_days * kDayMs) {
      ++count.proven;
      continue;
    }
    findings.push_back(
        {"warning",
         name_of(one.share) + " was last proven good on " + base::format_time(last_proven_ms(one)),
         how});
  }
  for (const auto& [secret, count] : counts) {
    // One more than needed: the loss of a share must not be the loss of the secret.
    const bool spare = count.proven > count.needed;
    findings.push_back({spare ? "ok" : "warning",
                        std::string(custody::secret_name(secret)) + ": " +
                            std::to_string(count.proven) + " shares are proven good, " +
                            std::to_string(count.needed) + " rebuild it",
                        spare ? "" : how});
  }
}

void examine_register(Vault& vault, Findings& findings) {
  const auto reader = vault.store().make_reader();
  if (!reader) return;  // said of the store already
  const auto set = registered_custodians(**reader);
  if (!set) {
    findings.push_back({"error", "the record of the custodians is damaged", "restore a backup"});
  } else if (!*set) {
    findings.push_back({"note",
                        "no custodians are registered: one operator alone makes and destroys keys "
                        "and widens clients' rights",
                        "for real cards hold a ceremony, or `cardvault custodian register`"});
  } else {
    findings.push_back({"ok",
                        std::to_string((*set)->needed) + " of " +
                            std::to_string((*set)->custodians.size()) +
                            " custodians approve keys, rights and ceilings",
                        ""});
  }
}

}  // namespace

Findings examine_custody(Vault& vault) {
  Findings findings;
  const UnsealConfig& config = vault.config().unseal;
  examine_register(vault, findings);
  if (config.survive_crash) {
    findings.push_back(
        {"note",
         "unseal.survive_crash: the PIN also rests with the service manager, so that "
         "a crash heals by itself; root of this machine can take it from there until "
         "a reboot or `cardvault seal`",
         ""});
  } else if (config.custodians) {
    findings.push_back(
        {"note", "after a crash or a reboot the vault stays sealed until custodians come", ""});
  }
  try {
    examine_shares(vault, findings);
  } catch (const base::StartupError& problem) {
    findings.push_back({"error", problem.what(),
                        "put the transcript back from its copy: without it no share can be told "
                        "from a bad one"});
  }
  return findings;
}

std::vector<std::pair<std::string, double>> share_ages(Vault& vault) {
  std::vector<std::pair<std::string, double>> out;
  try {
    for (const custody::Drill& one : drills_of(vault.config().unseal)) {
      out.emplace_back(
          std::string(custody::secret_name(one.share.label.secret)) + " " + one.share.custodian,
          static_cast<double>(vault.clock().now_ms() - last_proven_ms(one)) / 1000);
    }
  } catch (const base::StartupError&) {
    out.clear();  // doctor says it
  }
  return out;
}

}  // namespace cardvault::daemon
