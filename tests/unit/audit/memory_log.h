// A published log in memory, whose writing can fail at any step, and a vault's key for it.
#pragma once

#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/fakes/fake_crypto.h"
#include "vault/audit/log_writer.h"
#include "vault/audit/verify.h"

namespace cardvault::audit {

// Files as a disk keeps them over a power loss: what is put is there after sync(), before it
// perhaps, and then perhaps in part.
class MemoryFiles final : public LogFiles {
 public:
  base::Result<std::optional<std::string>> read(const std::string& path) override;
  base::Result<void> put(const std::string& path, std::string_view bytes) override;
  base::Result<void> sync() override;
  base::Result<void> replace(const std::string& path, std::string_view bytes) override;
  base::Result<void> remove_folder(const std::string& path) override;

  // The step (a put, each file of a sync, a replacement, a removal) with that number, from now on,
  // fails; then a random part of the files put is there, some cut off, and of a replacement the old
  // or the new file. 0: the next; -1: none does.
  void fail_at(int step) { until_failure_ = step; }
  [[nodiscard]] int steps() const { return steps_; }
  [[nodiscard]] ReadFile reader();

  std::map<std::string, std::string> files;
  std::mt19937 chance{1};

 private:
  [[nodiscard]] bool step_fails();
  void leave_some();
  std::vector<std::pair<std::string, std::string>> staged_;
  int until_failure_ = -1, steps_ = 0;
};

// An event of the log, as the vault writes it: number i, so many minutes after the one before, from
// 18 November 2026, 11:06:40 on.
[[nodiscard]] std::string event_line(std::uint64_t i, std::int64_t minutes = 1);
[[nodiscard]] std::vector<std::string> event_lines(std::uint64_t from, std::uint64_t to,
                                                   std::int64_t minutes = 1);

struct TestKey {
  fakes::FakeCrypto crypto;
  core::KeyRef ref{core::KeyPurpose::kAuditSign, 1};
  VerifierKey key{"vault.example/log", crypto.public_key(ref).value()};
  Sign sign = [this](std::string_view text) { return crypto.sign(ref, base::as_bytes(text)); };
};

// Event `seq`, in which `by` endorses the log's next key, as the vault writes it when another
// audit-sign is activated.
[[nodiscard]] std::string endorsement(std::uint64_t seq, TestKey& by, const VerifierKey& next);

// A log of `size` events, published in batches of different sizes.
class TestLog {
 public:
  explicit TestLog(std::uint64_t size, TestKey& key);
  void append(std::uint64_t count);
  // Everything again from these entries on, as one who has the files but not the key can: all tiles
  // fit the entries; the checkpoint stays.
  void rewrite(const std::vector<std::string>& entries);
  [[nodiscard]] VerifyReport verify(const std::vector<KeptCheckpoint>& older = {},
                                    unsigned threads = 2);
  [[nodiscard]] std::vector<std::string> entries(std::uint64_t bundle, std::uint64_t width);
  void put_entries(const std::string& path, const std::vector<std::string>& entries);

  TestKey& key;
  MemoryFiles disk;
  std::map<std::string, std::string>& files = disk.files;

 private:
  LogWriter writer_;
};

}  // namespace cardvault::audit
