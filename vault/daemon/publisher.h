// Publishes the audit log: from the databases into DIR/audit (docs/audit.md).
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "vault/audit/disk_log_files.h"
#include "vault/audit/log_writer.h"
#include "vault/audit/segments.h"
#include "vault/daemon/vault.h"

namespace cardvault::daemon {

// The named value that holds the verifier key of every audit-sign there was, a line each.
inline constexpr std::string_view kLogKeysValue = "audit_keys";
// The named value that holds the verifier key, as text, of the audit-sign that was made last in the
// place of a lost one, and not put there by anybody else.
inline constexpr std::string_view kMadeLogKeyValue = "audit_key_made";
// In store::kPublishedValue, where the checkpoint's note begins.
inline constexpr std::size_t kPublishedNoteOffset = 8;

// A thread of its own: whatever was committed is published within a second, and its rows are
// deleted once they are published and no longer needed to rebuild the reveal budgets. A log that
// can't be continued (forged, rolled back, not what the databases hold) seals the vault until it
// can; while files can't be written, events stay in the databases and an alarm says so.
class Publisher {
 public:
  // Checks the log before it returns. Throws StartupError when its folder can't be opened.
  explicit Publisher(Vault& vault);
  ~Publisher();
  Publisher(const Publisher&) = delete;             // its thread holds its address
  Publisher& operator=(const Publisher&) = delete;  // its thread holds its address

  // Ends the thread and publishes the rest; call it when the vault has announced its last event,
  // and before its store stops: the end of a month is noted there.
  void finish();

 private:
  void run();
  // True when the log is open: then, or from before.
  [[nodiscard]] bool open();
  [[nodiscard]] std::optional<std::vector<audit::VerifierKey>> keys();
  // Remembers the keys, which the token has not for ever, and returns those that it had.
  [[nodiscard]] std::vector<audit::VerifierKey> remember(
      const std::vector<audit::VerifierKey>& keys, const std::string& origin);
  [[nodiscard]] std::optional<std::string> find_fault();
  // At the start: raises an alarm where the log lacks what it had, or was to have.
  void look_for_overdue();
  [[nodiscard]] std::optional<std::string> compare_with_databases();
  [[nodiscard]] std::optional<std::string> find_gap(std::uint64_t next);
  // One batch; false: nothing more to publish now.
  [[nodiscard]] bool publish();
  // Batches, until fewer than `least` events wait.
  void publish_while(std::uint64_t least);
  void watch_month();
  void forget();
  [[nodiscard]] base::Result<void> note();
  void seal(LogFault fault);
  void failed(const base::Error& error);

  Vault& vault_;
  audit::DiskLogFiles files_;
  std::unique_ptr<store::EventReader> events_;
  std::optional<audit::LogWriter> writer_;
  std::optional<audit::MonthlyLog> months_;
  core::KeyRef signer_;
  bool open_ = false;
  bool failing_ = false;         // files can't be written
  std::uint64_t noted_ = 0;      // events below may be deleted: the database says so
  std::uint64_t forgotten_ = 0;  // events below are deleted
  std::uint64_t forget_step_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace cardvault::daemon
