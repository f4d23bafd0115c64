#include "vault/daemon/rewrapper.h"

#include <algorithm>
#include <chrono>

#include "vault/base/log.h"
#include "vault/daemon/key_statement.h"
#include "vault/daemon/key_states.h"

namespace cardvault::daemon {

using base::Code;
using std::chrono::microseconds;
using std::chrono::steady_clock;

namespace {

constexpr std::uint32_t kSliceRows = 100;  // some milliseconds of HSM, one small group
constexpr microseconds kRetry{200'000};
constexpr std::size_t kNamedRows = 20;
constexpr unsigned kIdlePasses = 2;  // one may be idle because other keys came into use meanwhile

// Nothing but time or an operator mends it.
bool is_temporary(Code code) {
  return code == Code::kOverloaded || code == Code::kHsmUnavailable ||
         code == Code::kHsmPinRefused || code == Code::kStoreFailed || code == Code::kStorageFull ||
         code == Code::kKeyMissing || code == Code::kKeyExhausted || code == Code::kInternal;
}

std::string list_of(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < std::min(names.size(), kNamedRows); ++i) {
    out += (i == 0 ? "" : ", ") + names[i];
  }
  return names.size() > kNamedRows ? out + ", …" : out;
}

}  // namespace

Rewrapper::Rewrapper(Vault& vault) : vault_(vault), thread_([this] { run(); }) {}

Rewrapper::~Rewrapper() { stop(); }

void Rewrapper::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

base::Result<void> Rewrapper::start(core::KeyPurpose purpose, const core::Event& begun) {
  {
    const std::scoped_lock lock(mutex_);
    if (status_.running) {
      return status_.purpose == purpose ? base::Result<void>()
                                        : base::fail(Code::kConflict, "rewrap another key");
    }
  }
  const std::string_view name = core::key_purpose_name(purpose);
  auto committed =
      vault_.commit([&](core::Transaction& tx, core::EventSink& events) -> base::Result<void> {
        events.add(begun);
        return tx.put_value(kRewrapValue, base::as_bytes(name));
      });
  if (!committed) return committed;
  {
    const std::scoped_lock lock(mutex_);
    status_ = {};
    status_.purpose = purpose;
    status_.running = true;
  }
  changed_.notify_all();
  return {};
}

void Rewrapper::resume() {
  auto reader = vault_.store().make_reader();
  if (!reader) return;
  const auto value = (*reader)->value(kRewrapValue);
  if (!value || !*value || (*value)->empty()) return;
  const auto purpose = parse_purpose(base::as_text(**value));
  if (!purpose) return;
  vault_.announce({[&] {
    core::Event event = vault_.system_event("key.rewrap.resume");
    event.resource = core::key_purpose_name(*purpose);
    return event;
  }()});
  {
    const std::scoped_lock lock(mutex_);
    status_ = {};
    status_.purpose = *purpose;
    status_.running = true;
  }
  changed_.notify_all();
}

Rewrapper::Status Rewrapper::status() const {
  const std::scoped_lock lock(mutex_);
  return status_;
}

void Rewrapper::wait(std::chrono::milliseconds at_most) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, at_most, [&] { return !status_.running || stopping_; });
}

void Rewrapper::run() {
  for (;;) {
    core::KeyPurpose purpose{};
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopping_ || status_.running; });
      if (stopping_) return;
      purpose = status_.purpose;
    }
    auto outcome = move_all(purpose);
    if (!outcome) return;  // resume() goes on with it
    conclude(purpose, std::move(*outcome));
  }
}

bool Rewrapper::sleep(microseconds time) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, time, [&] { return stopping_; });
}

bool Rewrapper::pause_for(const base::Error& error) {
  {
    const std::scoped_lock lock(mutex_);
    status_.waits_for = std::string(base::code_name(error.code)) + " in " + error.operation;
  }
  // The block of encryptions may be used up while no request reserves the next.
  vault_.engine().reserve_invocations();
  return sleep(kRetry);
}

std::vector<core::KeyRef> Rewrapper::earlier_versions(core::KeyPurpose purpose) const {
  std::vector<core::KeyRef> versions;
  const auto rows = vault_.key_rows();
  for (const core::KeyRow& row : *rows) {
    if (row.key.purpose == purpose && row.state != core::KeyState::kActive &&
        row.state != core::KeyState::kDestroyed) {
      versions.push_back(row.key);
    }
  }
  return versions;
}

std::optional<core::KeyUse> Rewrapper::use_of(core::KeyRef key) {
  for (;;) {
    auto reader = vault_.store().make_reader();
    auto use = reader ? (*reader)->key_use(key)
                      : base::Result<core::KeyUse>(std::unexpected(reader.error()));
    if (use) return *use;
    if (!pause_for(use.error())) return std::nullopt;
  }
}

std::optional<core::RewrapSlice> Rewrapper::next_slice(core::Reader& reader, core::KeyRef from,
                                                       core::RewrapPosition& position) {
  for (;;) {
    auto slice = core::RewrapSlice::prepare(vault_.services(), reader, from, position, kSliceRows);
    if (slice) return std::move(*slice);
    if (!pause_for(slice.error())) return std::nullopt;
  }
}

std::optional<std::uint32_t> Rewrapper::commit(core::RewrapSlice& slice) {
  for (;;) {
    std::uint32_t moved = 0;
    const auto committed =
        vault_.commit([&](core::Transaction& tx, core::EventSink&) -> base::Result<void> {
          const auto done = slice.apply(vault_.services(), tx);
          if (!done) return std::unexpected(done.error());
          moved = *done;
          return {};
        });
    if (committed) return moved;
    // What was prepared is good for another try: each row says itself whether it still is so.
    if (!is_temporary(committed.error().code) || !pause_for(committed.error())) return std::nullopt;
  }
}

std::optional<std::uint64_t> Rewrapper::pass(core::KeyRef from, std::vector<std::string>& damaged) {
  const std::uint32_t rate = vault_.config().keys.rewrap_rows_per_s;
  auto due = steady_clock::now();
  auto reader = vault_.store().make_reader();
  while (!reader) {
    if (!pause_for(reader.error())) return std::nullopt;
    reader = vault_.store().make_reader();
  }
  core::RewrapPosition position;
  std::uint64_t moved = 0;
  for (;;) {
    auto slice = next_slice(**reader, from, position);
    if (!slice) return std::nullopt;
    if (slice->rows() == 0) return moved;
    const auto done = commit(*slice);
    if (!done) return std::nullopt;
    moved += *done;
    damaged.insert(damaged.end(), slice->damaged().begin(), slice->damaged().end());
    {
      const std::scoped_lock lock(mutex_);
      status_.done += *done;
      status_.waits_for.clear();
    }
    vault_.engine().reserve_invocations();
    if (rate != 0) due += microseconds(std::uint64_t{1'000'000} * slice->rows() / rate);
    const auto ahead = std::chrono::duration_cast<microseconds>(due - steady_clock::now());
    if (ahead.count() < 0) due = steady_clock::now();  // what was lost is not made up for
    if (!sleep(std::max(ahead, microseconds(0)))) return std::nullopt;
  }
}

// Passes until nothing is left, or nothing more can be moved. Rows that somebody changed while they
// were being moved, and those of a version that has just stopped being the active one, are found by
// the next pass.
std::optional<Rewrapper::Outcome> Rewrapper::move_all(core::KeyPurpose purpose) {
  if (auto total = rows_left(purpose)) {
    const std::scoped_lock lock(mutex_);
    status_.total = *total;
  } else {
    return std::nullopt;
  }
  Outcome outcome;
  std::vector<std::string> damaged;
  for (unsigned idle = 0; idle < kIdlePasses;) {
    damaged.clear();
    std::uint64_t moved = 0;
    for (const core::KeyRef& key : earlier_versions(purpose)) {
      const auto some = pass(key, damaged);
      if (!some) return std::nullopt;
      moved += *some;
    }
    outcome.moved += moved;
    idle = moved == 0 ? idle + 1 : 0;
    const auto left = rows_left(purpose);
    if (!left) return std::nullopt;
    outcome.complete = *left == 0;
    if (outcome.complete) break;
  }
  if (!damaged.empty()) {
    outcome.remarks.push_back(std::to_string(damaged.size()) +
                              " rows can't be opened and stay where they are (restore them from a "
                              "backup, or delete them): " +
                              list_of(damaged));
  }
  return find_emptied(purpose, outcome) ? std::optional(std::move(outcome)) : std::nullopt;
}

std::optional<std::uint64_t> Rewrapper::rows_left(core::KeyPurpose purpose) {
  std::uint64_t rows = 0;
  for (const core::KeyRef& key : earlier_versions(purpose)) {
    const auto use = use_of(key);
    if (!use) return std::nullopt;
    rows += use->rows;
  }
  return rows;
}

bool Rewrapper::find_emptied(core::KeyPurpose purpose, Outcome& outcome) {
  for (const core::KeyRef& key : earlier_versions(purpose)) {
    const auto use = use_of(key);
    if (!use) return false;
    const std::string label = core::key_label(key);
    if (use->rows != 0) {
      outcome.remarks.push_back(std::to_string(use->rows) + " rows are left on " + label);
    } else if (use->passing != 0) {
      outcome.remarks.push_back(label + " is needed for " + std::to_string(use->passing) +
                                " more answers, which end within 24 hours");
    } else if (find_key(*vault_.key_rows(), key)->state == core::KeyState::kDecryptOnly) {
      outcome.emptied.push_back(key);
    }
  }
  return true;
}

void Rewrapper::conclude(core::KeyPurpose purpose, Outcome outcome) {
  std::vector<core::Event> events;
  std::vector<std::pair<std::string, std::string>> notes;  // by name of their value
  for (const core::KeyRef& key : outcome.emptied) {
    auto statement = zero_rows_statement(vault_, key);
    while (!statement) {
      if (!pause_for(statement.error())) return;
      statement = zero_rows_statement(vault_, key);
    }
    core::Event event = vault_.system_event("key.rewrapped");
    event.resource = core::key_label(key);
    event.details = {{"rows_left", "0"}, {"statement", *statement}};
    events.push_back(std::move(event));
    notes.emplace_back(statement_value(key), std::move(*statement));
  }
  if (!outcome.complete) {
    core::Event event = vault_.system_event("key.rewrapped");
    event.resource = core::key_purpose_name(purpose);
    event.outcome = base::code_name(Code::kRecordDamaged);
    events.push_back(std::move(event));
  }
  for (core::Event& event : events) {
    event.details.emplace_back("rows_moved", std::to_string(outcome.moved));
  }
  for (;;) {
    const auto committed =
        vault_.commit([&](core::Transaction& tx, core::EventSink& sink) -> base::Result<void> {
          for (const core::Event& event : events) sink.add(event);
          for (const auto& [name, note] : notes) {
            if (auto ok = tx.put_value(name, base::as_bytes(note)); !ok) return ok;
          }
          return tx.put_value(kRewrapValue, {});
        });
    if (committed) break;
    if (!pause_for(committed.error())) return;
  }
  {
    const std::scoped_lock lock(mutex_);
    status_.running = false;
    status_.waits_for.clear();
    status_.complete = outcome.complete;
    status_.remarks = std::move(outcome.remarks);
    for (auto& [name, note] : notes) status_.statements.push_back(std::move(note));
  }
  changed_.notify_all();
}

}  // namespace cardvault::daemon
