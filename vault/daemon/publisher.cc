#include "vault/daemon/publisher.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <set>
#include <sstream>

#include "vault/base/log.h"
#include "vault/daemon/overdue_events.h"
#include "vault/daemon/stored_state.h"

namespace cardvault::daemon {

using base::Code;

namespace {

constexpr auto kTick = std::chrono::milliseconds(250);
constexpr unsigned kTicksOfPatience = 3;  // fewer events than a batch wait so long
constexpr std::uint64_t kBatch = 16384;   // events
// What may be deleted goes over so many ticks, so that requests hardly wait for it; but so many
// events at least in one.
constexpr std::uint64_t kTicksToForget = 16, kForgottenAtLeast = 4096;
constexpr unsigned kGapLooks = 5;  // a reader may miss a group that was just committed

bool by_hsm(const base::Error& error) {
  return error.code == Code::kHsmUnavailable || error.code == Code::kHsmPinRefused;
}

}  // namespace

Publisher::Publisher(Vault& vault)
    : vault_(vault), files_(vault.config().audit.dir, vault.config().audit.closed) {
  open_ = open();
  if (open_) look_for_overdue();
  thread_ = std::thread([this] { run(); });
}

Publisher::~Publisher() {
  if (thread_.joinable()) finish();
}

// It will be published again as it was, from the databases.
void Publisher::look_for_overdue() {
  const std::uint64_t size = writer_->size();
  const auto waiting = events_->read(size, kBatch);
  if (!waiting || !are_overdue(*waiting)) return;
  vault_.alarm("log_behind", {{"published", std::to_string(size)},
                              {"events", std::to_string(vault_.store().next_seq())}});
}

void Publisher::finish() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
  if (open_) publish_while(1);
}

void Publisher::run() {
  ::pthread_setname_np(::pthread_self(), "publisher");
  for (unsigned tick = 1;; ++tick) {
    {
      std::unique_lock lock(mutex_);
      if (wake_.wait_for(lock, kTick, [&] { return stopping_; })) return;
    }
    if (open_ && !failing_) forget();
    if (tick % kTicksOfPatience != 0 &&
        (!open_ || failing_ || vault_.store().next_seq() < writer_->size() + kBatch)) {
      continue;
    }
    // Once another audit-sign is active it signs, as after a start.
    if (!open_ || signer_ != vault_.services().keys.get(core::KeyPurpose::kAuditSign)) {
      open_ = open();
    }
    // Without a signature nothing can be finished.
    if (!open_ || (failing_ && vault_.token().state() != hsm::HsmState::kReady)) continue;
    // Once, unless much waits: what is committed meanwhile is for the next time.
    publish_while(kBatch);
    if (open_ && !failing_) watch_month();
  }
}

std::optional<std::vector<audit::VerifierKey>> Publisher::keys() {
  const core::KeyRef active = vault_.services().keys.get(core::KeyPurpose::kAuditSign);
  const std::string& named = vault_.config().audit.origin;
  const std::string label = vault_.token().label();
  if (named.empty() && label.empty()) return std::nullopt;
  const std::string origin = named.empty() ? audit::default_origin(label) : named;
  std::vector<audit::VerifierKey> keys;
  for (std::uint32_t version = active.version; version > 0; --version) {
    auto key = vault_.token().public_key({core::KeyPurpose::kAuditSign, version});
    if (!key && version == active.version) return std::nullopt;
    if (key) keys.emplace_back(origin, std::move(*key));
  }
  for (audit::VerifierKey& key : remember(keys, origin)) keys.push_back(std::move(key));
  return keys;
}

std::vector<audit::VerifierKey> Publisher::remember(const std::vector<audit::VerifierKey>& keys,
                                                    const std::string& origin) {
  std::vector<audit::VerifierKey> gone;
  const auto reader = vault_.store().make_reader();
  if (!reader) return gone;
  const auto value = (*reader)->value(kLogKeysValue);
  if (!value) return gone;
  std::istringstream known(*value ? std::string((*value)->begin(), (*value)->end()) : "");
  std::set<std::string> texts;
  for (std::string text; std::getline(known, text);) texts.insert(text);
  for (const std::string& text : texts) {
    auto key = audit::VerifierKey::parse(text);
    const bool present = std::ranges::any_of(
        keys, [&](const audit::VerifierKey& one) { return one.text() == text; });
    if (key && !present && key->name() == origin) gone.push_back(std::move(*key));
  }
  std::string all;
  const std::size_t before = texts.size();
  for (const audit::VerifierKey& key : keys) texts.insert(key.text());
  if (texts.size() == before) return gone;
  for (const std::string& text : texts) all += text + "\n";
  // Where this fails it is done at the next start: no key is destroyed on the day it is retired.
  static_cast<void>(vault_.commit([&](core::Transaction& tx, core::EventSink&) {
    return tx.put_value(kLogKeysValue, base::as_bytes(all));
  }));
  return gone;
}

bool Publisher::open() {
  if (auto lost = vault_.log_key_loss(); !lost.empty()) {
    seal({kLogKeyLost, std::move(lost)});
    return false;
  }
  auto known = keys();
  if (!known) {  // the HSM is away; until it is back there is nothing to protect
    vault_.find_lost_log_keys();
    return false;
  }
  signer_ = vault_.services().keys.get(core::KeyPurpose::kAuditSign);
  writer_.emplace(files_, std::move(*known), [this](std::string_view text) {
    return vault_.token().sign(signer_, base::as_bytes(text));
  });
  months_.emplace(files_, *writer_, [this] { return note(); });
  if (auto why = find_fault()) {
    seal({kLogInconsistent, std::move(*why)});
    return false;
  }
  if (!vault_.log_fault()->state.empty()) {
    vault_.unseal();
    vault_.announce({vault_.system_event("log.consistent")});
    base::log(base::Level::kNotice, "the published log is consistent again");
  }
  return true;
}

// Why the published log can't be continued.
std::optional<std::string> Publisher::find_fault() {
  std::vector<audit::KeptCheckpoint> kept;
  auto reader = vault_.store().make_reader();
  if (!reader) return "the databases can't be read";
  const auto value = (*reader)->value(store::kPublishedValue);
  if (!value) return "the databases can't be read";
  if (*value && (*value)->size() > kPublishedNoteOffset) {
    kept.push_back({"in vault.db", {(*value)->begin() + kPublishedNoteOffset, (*value)->end()}});
  }
  if (const std::string& anchor = vault_.config().audit.anchor; !anchor.empty()) {
    std::ifstream file(anchor, std::ios::binary);
    std::ostringstream note;
    if (!(note << file.rdbuf())) return "the checkpoint " + anchor + " can't be read";
    kept.push_back({anchor, note.str()});
  }
  if (auto why = writer_->open(kept)) return why;
  return compare_with_databases();
}

std::optional<std::string> Publisher::compare_with_databases() {
  if (events_ == nullptr) {
    auto events = vault_.store().make_event_reader();
    if (!events) return "the databases can't be read";
    events_ = std::move(*events);
  }
  const std::uint64_t next = vault_.store().next_seq();
  if (next < writer_->size()) {
    return "it has " + std::to_string(writer_->size()) + " events and the databases end after " +
           std::to_string(next) + ": they are older than it is";
  }
  if (auto why = find_gap(next)) return why;
  // Moved away with their months, perhaps, and then nothing is left to compare with.
  const auto closed = months_->closed_size();
  if (!closed) return "its segment/latest can't be read, or is damaged";
  audit::TileReader tiles = writer_->reader();
  for (std::uint64_t seq = 0; seq < writer_->size();) {
    const auto lines = events_->read(seq, kBatch);
    if (!lines) return "the events in the databases can't be read";
    if (lines->empty()) break;
    for (const store::LogLine& line : *lines) {
      if (line.seq >= writer_->size()) return std::nullopt;
      const auto published = tiles.node(0, line.seq);
      const bool moved =
          !published && published.error().code == Code::kNotFound && line.seq < *closed;
      if (!moved && (!published || *published != audit::leaf_hash(line.json))) {
        return "event " + std::to_string(line.seq) + " in it is not the one in the databases";
      }
      seq = line.seq + 1;
    }
  }
  return std::nullopt;
}

// Each event up to `next` is published, or still in the databases.
std::optional<std::string> Publisher::find_gap(std::uint64_t next) {
  for (unsigned looks = 0; next > writer_->size(); ++looks) {
    const auto lines = events_->read(writer_->size(), 1);
    if (lines && !lines->empty() && lines->front().seq == writer_->size()) break;
    if (looks == kGapLooks) {
      return "event " + std::to_string(writer_->size()) + " is neither in it nor in the databases";
    }
    std::this_thread::sleep_for(kTick / kGapLooks);
  }
  return std::nullopt;
}

void Publisher::seal(LogFault fault) {
  const auto known = vault_.log_fault();
  if (fault.why == known->why) return;
  base::log(base::Level::kError,
            "the published log can't be continued; the vault stays sealed until it can",
            {{"dir", vault_.config().audit.dir}, {"why", fault.why}});
  if (fault.state != known->state) vault_.alarm(fault.state);
  vault_.seal(std::move(fault));
}

void Publisher::publish_while(std::uint64_t least) {
  while (publish() && vault_.store().next_seq() >= writer_->size() + least) continue;
}

bool Publisher::publish() {
  const std::uint64_t size = writer_->size(), next = vault_.store().next_seq();
  if (next <= size) return false;
  auto lines = events_->read(size, std::min(kBatch, next - size));
  if (!lines) {
    failed(lines.error());
    return false;
  }
  if (lines->empty() || lines->front().seq != size) {
    if (auto why = find_gap(next)) {
      open_ = false;
      seal({kLogInconsistent, std::move(*why)});
    }
    return false;
  }
  std::vector<std::string> entries;
  entries.reserve(lines->size());
  for (store::LogLine& line : *lines) entries.push_back(std::move(line.json));
  if (const auto done = months_->publish(entries); !done) {
    failed(done.error());
    return false;
  }
  vault_.metrics().gauge("cardvault_audit_published_events", "Events in the published log",
                         static_cast<double>(writer_->size()));
  if (std::exchange(failing_, false)) {
    vault_.announce({vault_.system_event("log.published")});
    base::log(base::Level::kNotice, "the log is published again");
  }
  return true;
}

void Publisher::failed(const base::Error& error) {
  if (std::exchange(failing_, true)) return;
  base::log(base::Level::kError, "publishing the log failed; events wait in the databases", error);
  if (by_hsm(error)) return;  // which has an alarm of its own
  vault_.alarm("log_unpublished",
               {{"call", error.operation}, {"errno", std::to_string(error.number)}});
}

// A month without further events ends with an event too, so that it can be closed.
void Publisher::watch_month() {
  if (writer_->size() == 0 || vault_.store().next_seq() > writer_->size()) return;
  const auto month = months_->month();
  if (!month || month->empty() || audit::month_of(vault_.clock().now_ms()) <= *month) return;
  core::Event event = vault_.system_event("log.month");
  event.details = {{"ended", *month}};
  vault_.announce({std::move(event)});
}

void Publisher::forget() {
  const std::uint64_t below = std::min(writer_->durable_size(), vault_.replay_from());
  if (below > noted_ && noted_ == forgotten_) {
    // First what says that they may be gone, then that they go.
    if (!note()) return;
    noted_ = below;
    forget_step_ = std::max(kForgottenAtLeast, (noted_ - forgotten_) / kTicksToForget);
  }
  if (noted_ == forgotten_) return;
  const std::uint64_t next = std::min(noted_, forgotten_ + forget_step_);
  if (vault_.store().forget_events(next)) forgotten_ = next;
}

// The checkpoint, in the database: what it covers is proven by it from then on.
base::Result<void> Publisher::note() {
  std::vector<std::uint8_t> value;
  append_u64(value, writer_->size());
  value.insert(value.end(), writer_->checkpoint().begin(), writer_->checkpoint().end());
  return vault_.commit([&](core::Transaction& tx, core::EventSink&) {
    return tx.put_value(store::kPublishedValue, value);
  });
}

}  // namespace cardvault::daemon
