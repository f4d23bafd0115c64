// Moves WALs into their files on a thread of its own, so that no commit has to (inline checkpoints
// make the worst commits: 50 to 230 ms).
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <thread>

#include "vault/store/connection.h"
#include "vault/store/schema.h"
#include "vault/store/store_options.h"
#include "vault/store/write_turn.h"

namespace cardvault::store {

// Beyond checkpoint_pages it copies beside the committer until little is left and then stops it for
// that little, so that the WAL can begin anew. Within a second of a delete, and when idle, it
// empties the WAL: what was deleted is then in no file. Thread-safe.
class Checkpointer {
 public:
  Checkpointer(std::filesystem::path dir, const StoreOptions& options);
  ~Checkpointer();
  Checkpointer(const Checkpointer&) = delete;             // owns a thread
  Checkpointer& operator=(const Checkpointer&) = delete;  // owns a thread

  // After each commit: the WAL's size, and whether bytes have to leave the files.
  void committed(File file, int wal_pages, bool deleted);
  // No checkpoint runs while this is held.
  [[nodiscard]] std::unique_lock<std::mutex> pause() { return std::unique_lock(running_); }
  // The committer holds it while it writes a group.
  [[nodiscard]] WriteTurn& turn() noexcept { return turn_; }

 private:
  using Time = std::chrono::steady_clock::time_point;
  enum class Job { kNone, kRestart, kTruncate };
  struct State {
    int pages = 0;  // in the WAL
    std::uint64_t commits = 0;
    int tried_pages = 0;  // of them at the last attempt
    bool erase = false;
    Time last_commit{};
    Time not_before{};  // after an attempt
    Time erase_from{};  // after the WAL was emptied
  };
  void run();
  [[nodiscard]] Job due(const State& state, Time now) const;
  [[nodiscard]] Time next_wake(Time now) const;
  [[nodiscard]] bool checkpoint(std::size_t file, Job job);

  const std::filesystem::path dir_;
  const ConnectionOptions connection_options_;
  const int restart_pages_;
  const std::chrono::milliseconds idle_;
  std::mutex running_;  // before turn_ and mutex_
  WriteTurn turn_;
  std::array<std::unique_ptr<Connection>, kFiles> connections_;  // own thread
  std::mutex mutex_;
  std::condition_variable wake_;
  std::array<State, kFiles> states_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace cardvault::store
