#include "provisioning/restore_records.h"

#include <future>

#include "provisioning/exit_code.h"
#include "vault/core/spent_budgets.h"
#include "vault/daemon/announcement.h"
#include "vault/daemon/bounds.h"
#include "vault/daemon/key_states.h"
#include "vault/daemon/stored_state.h"
#include "vault/store/new_log.h"
#include "vault/store/sqlite_store.h"

namespace cardvault::provisioning {
namespace {

[[noreturn]] void give_up(const std::string& data_dir, const base::Error& error) {
  throw ToolError(
      ExitCode::kLocal,
      data_dir + ": the databases can't be rewritten (" + std::string(base::code_name(error.code)) +
          " in " + error.operation + ")" +
          (error.code == base::Code::kStorageFull ? ": the disk is full: free space, then run the "
                                                    "same command again"
                                                  : ""));
}

// The log's first event: what `cardvault-audit verify` follows to the lost one.
core::Event continues_event(const RestoredVault& restored) {
  core::Event event;
  event.time_ms = restored.now_ms;
  event.actor = "operator:" + restored.operator_name;
  event.operation = "log.continues";
  event.gate = "admin";
  event.resource = restored.old_log;
  event.details = {{"size", std::to_string(restored.last.size)},
                   {"root", restored.last.root},
                   {"checkpoint", restored.last.note},
                   {"vkey", restored.old_key},
                   {"backup", restored.backup},
                   {"newer_than_backup", std::to_string(restored.last.newer)},
                   {"action", restored.quorum.action}};
  for (std::size_t i = 0; i < restored.quorum.approvals.size(); ++i) {
    event.details.emplace_back("approval" + std::to_string(i + 1), restored.quorum.approvals[i]);
  }
  return event;
}

std::vector<core::Event> events_of(const RestoredVault& restored) {
  std::vector<core::Event> out = {continues_event(restored)};
  core::Event next;
  next.time_ms = restored.now_ms;
  next.actor = "operator:" + restored.operator_name;
  next.gate = "admin";
  for (const hsm::KeyReport& report : restored.fresh) {
    next.operation = "key.make";
    next.resource = report.label;
    next.details = {{"kind", report.kind}, {"kcv", report.kcv}, {"kcv_kind", report.kcv_kind}};
    out.push_back(next);
  }
  for (const core::KeyRow& row : restored.keys) {
    next.operation = "key.restore";
    next.resource = core::key_label(row.key);
    next.details = {{"state", std::string(daemon::key_state_name(row.state))}, {"kcv", row.kcv}};
    out.push_back(next);
  }
  return out;
}

base::Result<void> rewrite(core::Transaction& tx, core::EventSink& events,
                           const RestoredVault& restored) {
  for (const core::Event& event : events_of(restored)) events.add(event);
  if (auto ok = tx.delete_all_codes(); !ok) return ok;
  const std::int64_t until = restored.now_ms + std::int64_t{restored.lock_s} * 1000;
  if (auto ok = tx.restart_locks(restored.backup_ms, until); !ok) return ok;
  for (const core::KeyRow& row : restored.keys) {
    if (auto ok = tx.put_key(row); !ok) return ok;
  }
  // A rotation that was begun on the lost token is none any more, nor is a clone of it.
  for (const core::KeyPurpose purpose : core::kAllKeyPurposes) {
    if (auto ok = tx.put_value(daemon::rotation_value(purpose), {}); !ok) return ok;
  }
  if (auto ok = tx.put_value(daemon::kCloneValue, {}); !ok) return ok;
  const auto approved = tx.value(daemon::kBoundsValue);
  if (!approved) return std::unexpected(approved.error());
  if (*approved) {
    const auto bounds =
        daemon::moved_bounds(daemon::decode_bounds(base::as_text(**approved)), restored.bounds);
    auto put = tx.put_value(daemon::kBoundsValue, base::as_bytes(daemon::encode_bounds(bounds)));
    if (!put) return put;
  }
  const auto clients = tx.clients();
  if (!clients) return std::unexpected(clients.error());
  std::vector<std::string> ids;
  for (const core::Client& client : *clients) ids.push_back(client.id);
  std::vector<std::uint8_t> value;
  daemon::append_u64(value, 0);  // every event of the new log comes after this
  const auto bytes = core::spent_reveal_budgets(ids, restored.now_ms);
  value.insert(value.end(), bytes.begin(), bytes.end());
  return tx.put_value(daemon::kRevealValue, value);
}

}  // namespace

std::vector<core::KeyRow> read_key_register(const std::string& data_dir) {
  const auto store = store::SqliteStore::open(data_dir);
  return daemon::must((*store->make_reader())->keys(), "the key register can't be read");
}

void rewrite_records(const std::string& data_dir, const RestoredVault& restored) {
  if (auto ok = store::begin_new_log(data_dir); !ok) give_up(data_dir, ok.error());
  const auto store = store::SqliteStore::open(data_dir);
  std::promise<base::Result<void>> durable;
  store->committer().submit(std::make_unique<daemon::Effect>(
      [&](core::Transaction& tx, core::EventSink& events) { return rewrite(tx, events, restored); },
      [&](const base::Result<core::Receipt>& receipt) {
        durable.set_value(receipt ? base::Result<void>{} : std::unexpected(receipt.error()));
      }));
  if (const auto outcome = durable.get_future().get(); !outcome) give_up(data_dir, outcome.error());
  store->stop();
}

}  // namespace cardvault::provisioning
