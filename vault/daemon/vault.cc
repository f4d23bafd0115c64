#include "vault/daemon/vault.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <future>

#include "protocol/wire/codec.h"
#include "vault/audit/event_codec.h"
#include "vault/base/log.h"
#include "vault/core/text_form.h"
#include "vault/daemon/announcement.h"

namespace cardvault::daemon {

using base::Code;
using base::StartupError;

namespace {

constexpr std::string_view kBinTableValue = "bin_table";
constexpr std::string_view kClockValue = "clock_high_water";
constexpr std::string_view kRevealValue = "reveal_budget";
constexpr std::size_t kReplayLines = 4096;

void append_u64(std::vector<std::uint8_t>& out, std::uint64_t value) {
  for (int shift = 0; shift < 64; shift += 8)
    out.push_back(static_cast<std::uint8_t>(value >> shift));
}

std::uint64_t read_u64(std::span<const std::uint8_t> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8 && i < bytes.size(); ++i)
    value |= std::uint64_t{bytes[i]} << (8 * i);
  return value;
}

template <class T>
T must(base::Result<T> result, const char* what) {
  if (result) return std::move(*result);
  throw StartupError(std::string(what) + " (" + result.error().operation + ", " +
                     std::string(base::code_name(result.error().code)) + " " +
                     std::to_string(result.error().number) + "): run `cardvault doctor`");
}

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
      store_(open_store()),
      clock_(open_clock()),
      crypto_(open_token()),
      services_{.crypto = *crypto_,
                .clock = *clock_,
                .clients = clients_,
                .reveals = reveals_,
                .invocations = invocations_,
                .keys = keys_,
                .idempotency = idempotency_,
                .misses = misses_,
                .customers = customers_,
                .codec = wire_codec(),
                .metrics_text = [this] { return metrics_.text(); },
                .alarm_raised = [this](std::string_view what) { count_alarm(what); }} {
  services_.settings.store(std::make_shared<const core::Settings>(config_.settings));
  const auto reader = must(store_->make_reader(), "the database can't be read");
  clients_.load(must(reader->clients(), "the clients can't be read"));
  load_keys(*reader);
  load_budgets(*reader);
  if (auto bins = must(reader->value(kBinTableValue), "the BIN table can't be read")) {
    auto table = must(core::BinTable::deserialize(*bins), "the stored BIN table is damaged");
    services_.bins.store(std::make_shared<const core::BinTable>(std::move(table)));
  }
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
    const auto reader = store_->make_reader();
    if (auto clients = reader ? (*reader)->clients() : std::unexpected(reader.error())) {
      clients_.load(std::move(*clients));
    } else {
      base::log(base::Level::kError, "the clients could not be read again", clients.error());
    }
    base::log(base::Level::kNotice, "the store works again");
  };
  options.on_answered = [this] { outboxes_.flush(); };
  return store::SqliteStore::open(config_.data_dir, std::move(options));
}

std::unique_ptr<core::VaultClock> Vault::open_clock() {
  const auto reader = must(store_->make_reader(), "the database can't be read");
  const auto mark = must(reader->value(kClockValue), "the clock's mark can't be read");
  auto clock = std::make_unique<core::VaultClock>(
      core::VaultClock::system_sources(), mark ? static_cast<std::int64_t>(read_u64(*mark)) : 0,
      config_.max_offline_ms);
  store_clock_ = clock.get();
  return clock;
}

std::unique_ptr<hsm::TokenCrypto> Vault::open_token() {
  return hsm::TokenCrypto::open(
      config_.hsm, {.on_change = [this](const hsm::HsmEvent& change) { token_changed(change); },
                    .on_stuck = [this](std::chrono::milliseconds age) { token_stuck(age); }});
}

void Vault::token_changed(const hsm::HsmEvent& change) {
  const std::string number = std::to_string(change.cause.number);
  switch (change.state) {
    case hsm::HsmState::kReady:
      announce({system_event("hsm.recovered")});
      base::log(base::Level::kNotice, "the HSM answers again",
                {{"outage_ms", std::to_string(change.outage.count())}});
      return;
    case hsm::HsmState::kUnavailable:
      return alarm("hsm_unavailable", {{"ckr", number}, {"call", change.cause.operation}});
    case hsm::HsmState::kPinRefused:
      return alarm("hsm_pin_refused", {{"ckr", number}, {"call", change.cause.operation}});
  }
}

void Vault::token_stuck(std::chrono::milliseconds age) {
  // A PKCS#11 call can't be cancelled (DESIGN 4.2 trap 10): record it and let the supervisor
  // restart.
  alarm("hsm_stuck", {{"age_ms", std::to_string(age.count())}});
  std::promise<void> durable;
  store_->committer().submit(std::make_unique<Announcement>(
      std::vector<core::Event>{system_event("stop")},
      [&](const base::Result<core::Receipt>&) { durable.set_value(); }));
  durable.get_future().wait_for(std::chrono::seconds(2));
  ::_exit(70);
}

void Vault::load_keys(core::Reader& reader) {
  const auto rows = must(reader.keys(), "the key registry can't be read");
  const auto present = crypto_->keys();
  for (const core::KeyRow& row : rows) {
    if (row.state == core::KeyState::kDestroyed) continue;
    // While the token is away nothing can be said about its keys; recovery compares them then.
    if (!present.empty() && std::ranges::find(present, row.key) == present.end()) {
      throw StartupError("the token has no key " + core::key_label(row.key) +
                         " which the database says it has: this is another token, or the key was "
                         "destroyed. Run `cardvault doctor`");
    }
    invocations_.load(row.key, row.invocations_reserved);
    if (row.state == core::KeyState::kActive) keys_.set(row.key);
  }
  for (const core::KeyPurpose purpose : {core::KeyPurpose::kPanEnc, core::KeyPurpose::kPanIndex,
                                         core::KeyPurpose::kIdIndex, core::KeyPurpose::kIdEnc}) {
    if (keys_.get(purpose).version == 0) {
      throw StartupError("the vault has no active key " +
                         std::string(core::key_purpose_name(purpose)) +
                         ": make the vault with `cardvault init`");
    }
  }
}

void Vault::load_budgets(core::Reader& reader) {
  std::uint64_t from = 0;
  if (const auto snapshot = must(reader.value(kRevealValue), "the budgets can't be read");
      snapshot && snapshot->size() >= 8) {
    from = read_u64(*snapshot);
    if (!reveals_.restore(std::span(*snapshot).subspan(8))) {
      throw StartupError("the snapshot of the reveal budgets is damaged: restore a backup");
    }
  }
  const auto log = must(store_->make_event_reader(), "the log can't be read");
  for (;;) {
    const auto lines = must(log->read(from, kReplayLines), "the log can't be read");
    if (lines.empty()) return;
    for (const store::LogLine& line : lines) {
      from = line.seq + 1;
      // Cheap first: most lines are none of these.
      const bool release = line.json.find("\"op\":\"client.release\"") != std::string::npos;
      if (!release && line.json.find("\"op\":\"detokenize\"") == std::string::npos) continue;
      const auto event = must(audit::parse_event(line.json, nullptr), "the log is damaged");
      if (release) {
        reveals_.reset(event.resource);
        continue;
      }
      const bool allowed = event.outcome == "ok";
      const bool refused = event.outcome == base::code_name(Code::kRevealBudgetExhausted);
      auto token = core::Token::parse(event.resource);
      if ((!allowed && !refused) || !token || !event.actor.starts_with("client:")) continue;
      core::TokenId id = token->id();
      for (const auto& [key, value] : event.details) {
        if (key == "card" && !core::from_hex(value, id.bytes)) continue;
      }
      reveals_.replay(event.actor.substr(7), id, allowed, event.time_ms);
    }
  }
}

void Vault::start() {
  const unsigned workers = config_.workers != 0 ? config_.workers : config_.hsm.sessions;
  engine_->start(workers, config_.slow_workers, [this] {
    return std::make_unique<WorkerReader>(must(store_->make_reader(), "no reader"));
  });
}

void Vault::stop() {
  if (std::exchange(stopped_, true)) return;
  if (engine_) engine_->stop();
  save_state();
  store_->stop();
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
  } else if (!clock_->trusted()) {
    answer.state = base::code_name(Code::kClockSuspect);
  }
  answer.ready = answer.state == "ready";
  if (!crypto_->description().hardware) {
    answer.notes.emplace_back("software token: not a secure cryptographic device");
  }
  return answer;
}

base::Result<void> Vault::commit(
    std::move_only_function<base::Result<void>(core::Transaction&, core::EventSink&)> decide,
    std::move_only_function<void()> after) {
  std::promise<base::Result<void>> outcome;
  store_->committer().submit(
      std::make_unique<Effect>(std::move(decide), [&](const base::Result<core::Receipt>& receipt) {
        if (receipt && after) after();
        outcome.set_value(receipt ? base::Result<void>()
                                  : base::Result<void>(std::unexpected(receipt.error())));
      }));
  return outcome.get_future().get();
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
  store_->committer().submit(std::make_unique<Announcement>(std::move(events)));
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

void Vault::save_state() {
  const auto saved =
      commit([this](core::Transaction& tx, core::EventSink& events) -> base::Result<void> {
        std::vector<std::uint8_t> mark;
        append_u64(mark, static_cast<std::uint64_t>(clock_->now_ms()));
        if (auto ok = tx.put_value(kClockValue, mark); !ok) return ok;
        // Reveals are charged in apply(), on this thread: the counters hold every event up to here.
        std::vector<std::uint8_t> budgets;
        append_u64(budgets, events.next_seq());
        const auto bytes = reveals_.serialize(clock_->now_ms());
        budgets.insert(budgets.end(), bytes.begin(), bytes.end());
        return tx.put_value(kRevealValue, budgets);
      });
  if (!saved) base::log(base::Level::kWarning, "the vault's state was not saved", saved.error());
}

std::vector<std::string> Vault::apply(const Config& config) {
  std::vector<std::string> notes;
  services_.settings.store(std::make_shared<const core::Settings>(config.settings));
  config_.settings = config.settings;
  if (config.data_dir != config_.data_dir || config.hsm.module != config_.hsm.module ||
      config.hsm.token_uri != config_.hsm.token_uri ||
      config.hsm.sessions != config_.hsm.sessions) {
    notes.emplace_back("[vault] and [hsm] change with a restart only");
  }
  announce({system_event("reload")});
  return notes;
}

}  // namespace cardvault::daemon
