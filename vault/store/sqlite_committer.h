// The one writer: takes all that waits as one group, makes it durable with one sync, then answers.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "vault/core/store.h"
#include "vault/store/checkpointer.h"
#include "vault/store/group_log.h"
#include "vault/store/store_options.h"
#include "vault/store/write_side.h"

namespace cardvault::store {

// A group with an effect goes to vault.db with all its events, one without to reveal.db. Any
// failure but kConflict fails the whole group and latches: everything is refused while a probe,
// once per probe_interval, opens the files again, reads the sequence number and commits
// "store.recovered" events to both; when it succeeds, and on_recovered after it, commits are taken
// again. A failed group may turn out to be durable all the same, effect and events together; its
// callers heard an error.
class SqliteCommitter : public core::Committer {
 public:
  SqliteCommitter(std::filesystem::path dir, StoreOptions options, std::unique_ptr<WriteSide> files,
                  Checkpointer& checkpointer);
  ~SqliteCommitter() override { stop(); }

  void submit(std::unique_ptr<core::Commit> commit) override;
  [[nodiscard]] base::Result<void> state() const override;

  // Commits what waits, then ends the thread; later submits are refused with kOverloaded.
  void stop();
  // Runs `work` on the committer thread between two groups and waits for it. False: stopped.
  bool between_groups(const std::function<void()>& work);
  // Old rows (SqliteTransaction::expire) go along with the next effect groups, a few at a time.
  void expire(std::int64_t now_ms) { expire_now_ms_ = now_ms; }
  // Deletes events below `below`, which are published, a few rows between two groups at a time;
  // what kPublishedValue says is at least that. kStoreFailed, kStorageFull; kVaultUnavailable:
  // stopped. Any thread but its own.
  [[nodiscard]] base::Result<void> forget_events(std::uint64_t below);
  // The number that the next event will get.
  [[nodiscard]] std::uint64_t next_seq() const noexcept { return next_seq_; }

 private:
  struct Member {
    std::unique_ptr<core::Commit> commit;
    std::optional<std::uint64_t> first_seq;  // none: conflict
  };
  void run();
  [[nodiscard]] bool take_group();
  void run_boundary_work(std::unique_lock<std::mutex>& lock);
  [[nodiscard]] base::Result<void> write_group();
  [[nodiscard]] base::Result<void> apply_members(GroupLog& log);
  [[nodiscard]] base::Result<void> make_durable(const GroupLog& log, File file);
  [[nodiscard]] base::Result<void> expire_some();
  [[nodiscard]] base::Result<std::size_t> forget_some(File file, std::uint64_t below);
  void put_back(std::size_t from);
  void answer_group();
  void fail_all(const base::Error& error);
  void recover();
  [[nodiscard]] bool probe();
  [[nodiscard]] base::Result<void> record_recovery(File file);

  const std::filesystem::path dir_;
  const StoreOptions options_;
  Checkpointer& checkpointer_;
  std::atomic<std::uint64_t> next_seq_;
  std::atomic<std::int64_t> expire_now_ms_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable boundary_done_;
  std::deque<std::unique_ptr<core::Commit>> queue_;
  const std::function<void()>* boundary_work_ = nullptr;
  std::optional<base::Error> latched_;
  bool waiting_ = false;
  bool stopping_ = false;
  bool stopped_ = false;

  // Committer thread only.
  std::unique_ptr<WriteSide> files_;
  std::vector<Member> group_;
  std::int64_t last_event_ms_ = 0;
  std::thread thread_;
};

}  // namespace cardvault::store
