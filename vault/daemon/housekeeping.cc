#include "vault/daemon/housekeeping.h"

#include <chrono>

#include "vault/base/log.h"
#include "vault/core/cards.h"
#include "vault/core/record.h"
#include "vault/daemon/client_findings.h"
#include "vault/daemon/custody_findings.h"
#include "vault/daemon/key_states.h"
#include "vault/sandbox/notify_socket.h"

namespace cardvault::daemon {

namespace {
constexpr unsigned kFloodSeconds = 10;
constexpr unsigned kSaveSeconds = 10;
constexpr unsigned kSweepSeconds = 5;
constexpr unsigned kExpireSeconds = 300;
constexpr unsigned kShareSeconds = 60;
constexpr std::uint32_t kSweepCards = 200;
constexpr std::uint32_t kSweepCodes = 2000;
constexpr std::int64_t kKeepEndedMs = 3'600'000;  // so long the log can say that a code was late
constexpr double kKeyWarning = 0.9;               // of 2^32 invocations (SP 800-38D 8.3)
}  // namespace

Housekeeping::Housekeeping(Vault& vault) : vault_(vault), disks_(vault) {
  disks_.look();  // before the first request
  watch_tokens();
  thread_ = std::thread([this] { run(); });
}

Housekeeping::~Housekeeping() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Housekeeping::run() {
  for (unsigned second = 1;; ++second) {
    {
      std::unique_lock lock(mutex_);
      if (wake_.wait_for(lock, std::chrono::seconds(1), [&] { return stopping_; })) return;
    }
    round(second);
    sandbox::still_alive();
  }
}

void Housekeeping::round(unsigned second) {
  disks_.look();
  watch_tokens();
  watch_clock();
  watch_keys();
  watch_periods();
  vault_.client_ca().tick();
  set_gauges(second);
  // Latched: nothing can be written, and what is counted and announced meanwhile waits.
  if (!vault_.store().committer().state()) return;
  vault_.announce_late();
  if (second % kFloodSeconds == 0) {
    vault_.announce(vault_.floods().take(vault_.clock().now_ms()));
  }
  if (second % kSweepSeconds == 0 && vault_.clock().trusted()) {
    sweep_expired();
    sweep_codes();
  }
  if (second % kSaveSeconds == 0) vault_.save_state();
  if (second % kExpireSeconds == 0) vault_.store().expire(vault_.clock().now_ms());
}

void Housekeeping::sweep_expired() {
  auto reader = vault_.store().make_reader();
  if (!reader) return;
  auto rows = (*reader)->expired_cards(vault_.clock().now_ms(), kSweepCards);
  if (!rows || rows->empty()) return;
  static_cast<void>(
      vault_.commit([&](core::Transaction& tx, core::EventSink& events) -> base::Result<void> {
        const std::int64_t now_ms = vault_.clock().now_ms();
        for (const core::CardRow& row : *rows) {
          auto now = tx.card(row.id);
          if (!now) return std::unexpected(now.error());
          // A repeat may have prolonged its life since.
          if (!*now || !core::ttl_ended(**now, now_ms)) continue;
          if (auto gone = core::expire_card(tx, **now, now_ms, events); !gone) return gone;
        }
        return {};
      }));
}

// No event: what has ended on its own is not anybody's act.
void Housekeeping::sweep_codes() {
  static_cast<void>(vault_.commit([&](core::Transaction& tx,
                                      core::EventSink&) -> base::Result<void> {
    const auto gone = tx.delete_ended_codes(vault_.clock().now_ms() - kKeepEndedMs, kSweepCodes);
    return gone ? base::Result<void>() : std::unexpected(gone.error());
  }));
}

void Housekeeping::watch_tokens() {
  for (std::size_t i = 0; i < vault_.token().size(); ++i) {
    if (vault_.token().token(i).state() != hsm::HsmState::kReady) continue;
    const hsm::TokenDescription token = vault_.token().token(i).description();
    core::Event event = vault_.system_event("hsm.serves");
    event.details = {
        {"token", vault_.token_name(i)}, {"manufacturer", token.manufacturer},
        {"model", token.model},          {"serial", token.serial},
        {"firmware", token.firmware},    {"device", token.hardware ? "hardware" : "software"}};
    if (std::exchange(serving_[i], event.details) == event.details) continue;
    vault_.announce({std::move(event)});
  }
}

void Housekeeping::watch_clock() {
  static_cast<void>(vault_.clock().now_ms());  // the clock looks at its sources when asked
  const bool trusted = vault_.clock().trusted();
  if (trusted == clock_trusted_) return;
  clock_trusted_ = trusted;
  if (trusted) {
    vault_.announce({vault_.system_event("clock.trusted")});
  } else {
    vault_.alarm("clock_suspect", {{"offset_ms", std::to_string(vault_.clock().offset_ms())}});
  }
}

void Housekeeping::watch_keys() {
  for (const core::KeyPurpose purpose :
       {core::KeyPurpose::kPanEnc, core::KeyPurpose::kIdEnc, core::KeyPurpose::kSecretEnc}) {
    const core::KeyRef key = vault_.services().keys.get(purpose);
    const auto& meter = vault_.services().invocations;
    const std::string label = core::key_label(key);
    vault_.metrics().key_gauge(label, static_cast<double>(meter.used(key)));
    if (static_cast<double>(meter.used(key)) >= kKeyWarning * static_cast<double>(meter.limit()) &&
        warned_keys_.insert(label).second) {
      vault_.alarm("key_nearly_exhausted", {{"key", label}});
    }
  }
}

void Housekeeping::watch_periods() {
  const std::int64_t now = vault_.clock().now_ms();
  std::vector<std::pair<std::string, double>> left;
  for (const auto rows = vault_.key_rows(); const core::KeyRow& row : *rows) {
    const auto end = period_end_ms(row, vault_.config().keys);
    if (!end) continue;
    const std::string label = core::key_label(row.key);
    left.emplace_back(label, static_cast<double>(*end - now) / 1000);
    if (*end <= now && warned_keys_.insert("period of " + label).second) {
      vault_.alarm("cryptoperiod_over", {{"key", label}});
    }
  }
  vault_.metrics().key_period_gauges(left);
}

void Housekeeping::set_gauges(unsigned second) {
  Metrics& metrics = vault_.metrics();
  metrics.gauge("cardvault_ready", "1 while the vault takes requests",
                vault_.ready().ready ? 1 : 0);
  metrics.gauge("cardvault_hsm_ready", "1 while the HSM answers",
                vault_.token().state() == hsm::HsmState::kReady ? 1 : 0);
  if (const hsm::TokenGroup& tokens = vault_.token(); tokens.size() > 1) {
    std::vector<std::pair<std::string, double>> serving;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const bool ready = tokens.token(i).state() == hsm::HsmState::kReady;
      serving.emplace_back(std::to_string(i + 1), ready ? 1 : 0);
    }
    metrics.token_gauges(serving);
  }
  const auto waiting = vault_.engine().waiting();
  metrics.queue_gauges({waiting.begin(), waiting.end()});
  metrics.gauge("cardvault_store_ready", "1 while commits succeed",
                vault_.store().committer().state() ? 1 : 0);
  metrics.gauge("cardvault_clock_trusted", "1 while the clock is trusted",
                vault_.clock().trusted() ? 1 : 0);
  metrics.gauge("cardvault_audit_events", "Events in the log",
                static_cast<double>(vault_.store().next_seq()));
  if (const EventFeed* feed = vault_.feed(); feed != nullptr) {
    const EventFeed::Counts counts = feed->counts();
    metrics.gauge("cardvault_siem_waiting_bytes", "Events that wait for the syslog socket",
                  static_cast<double>(counts.waiting));
    metrics.gauge("cardvault_siem_lost_events", "Events that the syslog socket never took",
                  static_cast<double>(counts.lost));
  }
  metrics.gauge("cardvault_bin_rows", "Rows of the BIN table",
                static_cast<double>(vault_.services().bins.load()->size()));
  const std::int64_t now = vault_.clock().now_ms();
  std::vector<std::pair<std::string, double>> lives;
  const auto recipients = vault_.services().recipients.all();
  for (const core::Recipient& one : *recipients) {
    lives.emplace_back(one.name, static_cast<double>(one.current(now).not_after_ms - now) / 1000);
  }
  metrics.recipient_gauges(lives);
  metrics.client_gauges(certificate_lives(*vault_.client_ca().rows(), now));
  if (const std::int64_t end = vault_.client_ca().list_end_ms(); end != 0) {
    metrics.gauge("cardvault_client_list_seconds",
                  "How long the clients' revocation list that was published still holds",
                  static_cast<double>(end - now) / 1000);
  }
  if (second % kShareSeconds == 1) metrics.share_gauges(share_ages(vault_));
}

}  // namespace cardvault::daemon
