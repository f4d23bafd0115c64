#include "vault/daemon/vault.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <future>

#include "protocol/wire/codec.h"
#include "vault/base/log.h"
#include "vault/daemon/announcement.h"
#include "vault/daemon/bounds.h"
#include "vault/daemon/commit_and_wait.h"
#include "vault/daemon/key_states.h"
#include "vault/daemon/published_files.h"
#include "vault/daemon/stored_state.h"
#include "vault/seal/jose_sealer.h"

namespace cardvault::daemon {

using base::Code;
using base::StartupError;

namespace {

core::ValueCodec wire_codec() {
  return {[](const core::Tokenize& request) {
            base::SecretBuffer out;
            core::Tokenize copy;  // the key itself is no part of what it protects
            copy.batch = request.batch;
            for (const core::TokenizeItem& item : request.items) {
              copy.items.push_back({item.pan.clone(), item.expiry, item.customer.clone(),
                                    item.format, item.ttl_s, item.metadata});
            }
            wire::encode(out, 0, core::Caller{}, core::Request(std::move(copy)));
            return out;
          },
          [](const core::OtpSeal& request) {
            base::SecretBuffer out;
            core::OtpSeal copy{
                request.subject.clone(), request.purpose, request.context, request.recipient,
                request.clear,           request.ttl_s,   request.digits,  ""};
            wire::encode(out, 0, core::Caller{}, core::Request(std::move(copy)));
            return out;
          },
          [](const core::Answer& answer) { return wire::answer_bytes(answer); },
          [](std::span<const std::uint8_t> bytes) { return wire::decode_answer(bytes); }};
}

}  // namespace

// The store's reader as the engine's workers use it.
class WorkerReader final : public SnapshotReader {
 public:
  explicit WorkerReader(std::unique_ptr<store::SqliteReader> reader) : reader_(std::move(reader)) {}
  core::Reader& begin() override {
    // A failure shows in the lookups that follow.
    static_cast<void>(reader_->begin());
    return *reader_;
  }
  void end() override { reader_->end(); }

 private:
  std::unique_ptr<store::SqliteReader> reader_;
};

Vault::Vault(Config config)
    : config_(std::move(config)),
      feed_(make_feed()),
      store_(open_store()),
      clock_(open_clock()),
      crypto_(open_token()),
      sealer_(std::make_unique<seal::JoseSealer>(*crypto_, keys_)),
      services_{.crypto = *crypto_,
                .clock = *clock_,
                .clients = clients_,
                .reveals = reveals_,
                .invocations = invocations_,
                .keys = keys_,
                .idempotency = idempotency_,
                .misses = misses_,
                .customers = customers_,
                .sealer = *sealer_,
                .passwords = passwords_,
                .recipients = recipients_,
                .codec = wire_codec(),
                .metrics_text = [this] { return metrics_.text(); },
                .alarm_raised = [this](std::string_view what) { count_alarm(what); }},
      bounds_(std::make_shared<const ActArguments>(bounds_of(config_))) {
  services_.settings.store(std::make_shared<const core::Settings>(config_.settings));
  services_.read_log = [this](const core::AuditRead& request) {
    return read_published_file(config_.audit.dir, config_.audit.closed, request);
  };
  const auto reader = must(store_->make_reader(), "the database can't be read");
  load_images(*reader);
  load_keys(*reader);
  load_budgets(*reader);
  if (auto bins = must(reader->value(kBinTableValue), "the BIN table can't be read")) {
    auto table = must(core::BinTable::deserialize(*bins), "the stored BIN table is damaged");
    services_.bins.store(std::make_shared<const core::BinTable>(std::move(table)));
  }
  client_ca_ = std::make_unique<ClientCa>(*this);
  engine_ = std::make_unique<Engine>(services_, store_->committer(), metrics_, floods_, outboxes_,
                                     config_.queue);
}

Vault::~Vault() { stop(); }

std::unique_ptr<store::SqliteStore> Vault::open_store() {
  store::StoreOptions options;
  options.now_ms = [this] {
    const base::Clock* clock = store_clock_.load();
    return clock != nullptr ? clock->now_ms() : core::VaultClock::system_sources().wall_ms();
  };
  options.on_recovered = [this] {
    // A failed group may be durable all the same: a client revoked in it must be so in memory too.
    // Counters of reveals may hold some whose events were lost: that errs on the safe side.
    try {
      const auto reader = must(store_->make_reader(), "the database can't be read");
      load_images(*reader);
      set_key_rows(must(reader->keys(), "the key registry can't be read"));
    } catch (const StartupError& error) {
      // A revoked client might still be let in by what memory holds.
      base::log(base::Level::kError,
                "clients and keys can't be read again: refusing until they are",
                {{"why", error.what()}});
      return false;
    }
    base::log(base::Level::kNotice, "the store works again");
    return true;
  };
  options.on_answered = [this] { outboxes_.flush(); };
  if (feed_) options.on_durable = [this](std::string_view leaves) { feed_->add(leaves); };
  return store::SqliteStore::open(config_.data_dir, std::move(options));
}

std::unique_ptr<EventFeed> Vault::make_feed() {
  if (config_.audit.syslog.empty()) return nullptr;
  return std::make_unique<EventFeed>(
      EventFeed::Options{.socket = config_.audit.syslog,
                         .enterprise = config_.audit.syslog_enterprise},
      [this](EventFeed::Trouble trouble, const EventFeed::Counts& counts) {
        feed_troubled(trouble, counts);
      });
}

void Vault::feed_troubled(EventFeed::Trouble trouble, const EventFeed::Counts& counts) {
  std::vector<std::pair<std::string, std::string>> details = {
      {"waiting", std::to_string(counts.waiting)}, {"lost", std::to_string(counts.lost)}};
  switch (trouble) {
    case EventFeed::Trouble::kStalled:
      return alarm("siem_unavailable", std::move(details));
    case EventFeed::Trouble::kLosing:
      return alarm("siem_lost", std::move(details));
    case EventFeed::Trouble::kNone: {
      core::Event event = system_event("siem.recovered");
      event.details = std::move(details);
      announce({std::move(event)});
      base::log(base::Level::kNotice, "events reach the syslog socket again",
                {{"lost", std::to_string(counts.lost)}});
      return;
    }
  }
}

std::unique_ptr<core::VaultClock> Vault::open_clock() {
  auto clock = open_vault_clock(*store_, config_.max_offline_ms);
  store_clock_ = clock.get();
  return clock;
}

std::unique_ptr<hsm::TokenGroup> Vault::open_token() {
  const auto reader = must(store_->make_reader(), "the database can't be read");
  const auto rows = must(reader->keys(), "the key registry can't be read");
  // Known from here on: a token that is away now is compared when it comes.
  key_rows_.store(std::make_shared<const std::vector<core::KeyRow>>(rows));
  std::vector<hsm::TokenConfig> tokens = {config_.hsm};
  tokens.insert(tokens.end(), config_.standbys.begin(), config_.standbys.end());
  return hsm::TokenGroup::open(
      tokens,
      {.on_change = [this](std::size_t token, const hsm::HsmEvent& change,
                           hsm::HsmState together) { token_changed(token, change, together); },
       .on_stuck = [this](std::size_t token,
                          std::chrono::milliseconds age) { token_stuck(token, age); },
       .expected_kcvs =
           [this] {
             auto values = check_values(*key_rows());
             for (const auto lost = lost_log_keys(); const core::KeyRef& key : *lost) {
               values.erase(key);
             }
             return values;
           }},
      destroyed_keys(rows));
}

std::string Vault::token_name(std::size_t token) const {
  const std::string& uri =
      token == 0 ? config_.hsm.token_uri : config_.standbys[token - 1].token_uri;
  return "HSM " + std::to_string(token + 1) + " (" + uri.substr(0, uri.find('?')) + ")";
}

void Vault::token_changed(std::size_t token, const hsm::HsmEvent& change, hsm::HsmState together) {
  std::vector<std::pair<std::string, std::string>> details;
  if (!config_.standbys.empty()) details.emplace_back("token", token_name(token));
  if (change.state == hsm::HsmState::kReady) {
    core::Event event = system_event("hsm.recovered");
    event.details = std::move(details);
    announce({std::move(event)});
    base::log(base::Level::kNotice, "the HSM answers again",
              {{"token", token_name(token)}, {"outage_ms", std::to_string(change.outage.count())}});
    return;
  }
  details.emplace_back("ckr", std::to_string(change.cause.number));
  details.emplace_back("call", change.cause.operation);
  if (change.state == hsm::HsmState::kPinRefused) {
    const bool all = together == hsm::HsmState::kPinRefused;
    return alarm(all ? "hsm_pin_refused" : "hsm_token_pin_refused", std::move(details));
  }
  // Requests go on where another token has their keys.
  const bool others_serve = together == hsm::HsmState::kReady;
  alarm(others_serve ? "hsm_token_lost" : "hsm_unavailable", std::move(details));
}

void Vault::token_stuck(std::size_t token, std::chrono::milliseconds age) {
  // A PKCS#11 call can't be cancelled (DESIGN 4.2 trap 10): record it and let the supervisor
  // restart.
  alarm("hsm_stuck", {{"token", token_name(token)}, {"age_ms", std::to_string(age.count())}});
  std::promise<void> durable;
  store_->committer().submit(std::make_unique<Announcement>(
      std::vector<core::Event>{system_event("stop")},
      [&](const base::Result<core::Receipt>&) { durable.set_value(); }));
  durable.get_future().wait_for(std::chrono::seconds(2));
  ::_exit(70);
}

void Vault::start() {
  if (feed_) feed_->start();
  note_boot();
  const unsigned workers = config_.workers != 0 ? config_.workers : config_.hsm.sessions;
  engine_->start(workers, config_.slow_workers, [this] {
    return std::make_unique<WorkerReader>(must(store_->make_reader(), "no reader"));
  });
}

void Vault::stop_serving() {
  if (std::exchange(serving_stopped_, true)) return;
  if (engine_) engine_->stop();
  save_state();
}

void Vault::stop() {
  stop_serving();
  if (std::exchange(stopped_, true)) return;
  store_->stop();
  if (feed_) feed_->finish();
}

std::string Vault::software_note() const {
  std::string names;
  for (std::size_t i = 0; i < crypto_->size(); ++i) {
    const hsm::TokenDescription token = crypto_->token(i).description();
    const bool seen = !token.label.empty();
    if (seen && !token.hardware) names += (names.empty() ? "" : ", ") + token_name(i);
  }
  if (names.empty()) return names;
  const std::string note = "software token: not a secure cryptographic device";
  return crypto_->size() == 1 ? note : note + ": " + names;
}

core::ReadyAnswer Vault::ready() {
  core::ReadyAnswer answer;
  answer.state = "ready";
  if (const auto store = store_->committer().state(); !store) {
    answer.state = base::code_name(store.error().code);
  } else if (crypto_->state() == hsm::HsmState::kPinRefused) {
    answer.state = base::code_name(Code::kHsmPinRefused);
  } else if (crypto_->state() != hsm::HsmState::kReady) {
    answer.state = base::code_name(Code::kHsmUnavailable);
  } else if (!lost_log_keys()->empty()) {
    answer.state = kLogKeyLost;
    answer.notes.push_back(log_key_loss());
  } else if (const auto fault = log_fault(); !fault->state.empty()) {
    answer.state = fault->state;
  } else if (!clock_->trusted()) {
    answer.state = base::code_name(Code::kClockSuspect);
  }
  const auto disk = this->disk();
  if (answer.state == "ready") answer.state = disk_state(disk->level);
  // Where only reveals are refused, a load balancer has nowhere better to send the rest.
  answer.ready = answer.state == disk_state(disk->level) && disk->level != DiskLevel::kNoWrites;
  if (disk->level != DiskLevel::kEnough) answer.notes.push_back(disk->what);
  for (std::size_t i = 0; crypto_->size() > 1 && i < crypto_->size(); ++i) {
    if (crypto_->token(i).state() == hsm::HsmState::kReady) continue;
    answer.notes.push_back(token_name(i) + " does not serve: its redundancy is lost");
  }
  if (std::string note = software_note(); !note.empty()) answer.notes.push_back(std::move(note));
  return answer;
}

void Vault::seal(LogFault fault) {
  log_fault_.store(std::make_shared<const LogFault>(std::move(fault)));
  engine_->seal(true);
}

void Vault::unseal() {
  log_fault_.store(std::make_shared<const LogFault>());
  engine_->seal(false);
}

void Vault::set_disk(DiskState state) {
  engine_->limit(state.level);
  floods_.sum_strangers(state.level != DiskLevel::kEnough);
  disk_.store(std::make_shared<const DiskState>(std::move(state)));
}

base::Result<void> Vault::commit(
    std::move_only_function<base::Result<void>(core::Transaction&, core::EventSink&)> decide,
    std::move_only_function<void()> after) {
  return commit_and_wait(store_->committer(), std::move(decide), std::move(after));
}

base::Result<void> Vault::record(core::Event event) {
  return commit([&](core::Transaction&, core::EventSink& events) -> base::Result<void> {
    events.add(event);
    return {};
  });
}

core::Event Vault::system_event(std::string operation) const {
  core::Event event;
  event.time_ms = clock_->now_ms();
  event.actor = "system";
  event.operation = std::move(operation);
  return event;
}

void Vault::announce(std::vector<core::Event> events) {
  if (events.empty()) return;
  store_->committer().submit(std::make_unique<Announcement>(
      events, [this, events](const base::Result<core::Receipt>& receipt) mutable {
        if (!receipt) late_.keep(std::move(events));
      }));
}

void Vault::announce_late() {
  LateEvents::Taken taken = late_.take(clock_->now_ms());
  announce(std::move(taken.events));
  if (taken.lost != 0) alarm("events_lost", {{"count", std::to_string(taken.lost)}});
}

void Vault::alarm(std::string_view what, std::vector<std::pair<std::string, std::string>> details) {
  count_alarm(what);
  core::Event event = system_event("alarm");
  event.outcome = what;
  event.details = std::move(details);
  announce({std::move(event)});
}

void Vault::count_alarm(std::string_view what) {
  metrics_.alarm(what);
  base::log(base::Level::kError, "alarm", {{"kind", what}});
}

void Vault::apply(const Config& config) {
  services_.settings.store(std::make_shared<const core::Settings>(config.settings));
  bounds_.store(std::make_shared<const ActArguments>(bounds_of(config)));
}

}  // namespace cardvault::daemon
