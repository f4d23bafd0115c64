#include "vault/store/checkpointer.h"

#include <algorithm>
#include <utility>

#include "vault/base/log.h"

namespace cardvault::store {
namespace {

constexpr int kSmallRemainder = 200;  // pages that the committer can wait for
constexpr int kPassiveRounds = 4;
constexpr std::uint32_t kBusyTimeoutMs =
    50;  // it holds up the committer while it waits for readers
constexpr std::chrono::milliseconds kRetry{200};
// Spent codes are deleted all the time: their bytes leave together.
constexpr std::chrono::milliseconds kEraseEvery{1000};
constexpr std::chrono::hours kNever{1};

}  // namespace

Checkpointer::Checkpointer(std::filesystem::path dir, const StoreOptions& options)
    : dir_(std::move(dir)),
      connection_options_{.access = Access::kWrite,
                          .mmap_bytes = options.mmap_bytes,
                          .cache_kib = 1024,
                          .busy_timeout_ms = kBusyTimeoutMs,
                          .vfs = options.vfs},
      restart_pages_(static_cast<int>(options.checkpoint_pages)),
      idle_(options.checkpoint_idle),
      thread_([this] { run(); }) {}

Checkpointer::~Checkpointer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Checkpointer::committed(File file, int wal_pages, bool deleted) {
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  State& state = states_[static_cast<std::size_t>(file)];
  const bool was_empty = state.pages == 0;
  if (wal_pages < state.pages) state.tried_pages = 0;  // the WAL began anew
  state.pages = wal_pages;
  ++state.commits;
  state.erase |= deleted;
  state.last_commit = now;
  if (was_empty || deleted || due(state, now) != Job::kNone) wake_.notify_one();
}

Checkpointer::Job Checkpointer::due(const State& state, Time now) const {
  if (state.pages == 0 || now < state.not_before) return Job::kNone;
  const bool erase = state.erase && now >= state.erase_from;
  if (erase || now - state.last_commit >= idle_) return Job::kTruncate;
  return state.pages - state.tried_pages > restart_pages_ ? Job::kRestart : Job::kNone;
}

Checkpointer::Time Checkpointer::next_wake(Time now) const {
  Time next = now + kNever;
  for (const State& state : states_) {
    if (state.pages == 0) continue;
    Time wanted = state.last_commit + idle_;
    if (state.erase) wanted = std::min(wanted, state.erase_from);
    next = std::min(next, std::max(wanted, state.not_before));
  }
  return next;
}

void Checkpointer::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    for (std::size_t file = 0; file < kFiles; ++file) {
      State& state = states_[file];
      const Job job = due(state, std::chrono::steady_clock::now());
      if (job == Job::kNone) continue;
      const int pages = state.pages;
      const std::uint64_t commits = state.commits;
      const bool erase = std::exchange(state.erase, false);
      lock.unlock();
      const bool emptied = checkpoint(file, job);
      lock.lock();
      state.tried_pages = pages;
      // A commit meanwhile may be in the WAL again.
      if (emptied && job == Job::kTruncate && state.commits == commits) state.pages = 0;
      if (!emptied) state.erase |= erase;
      state.not_before = std::chrono::steady_clock::now();
      if (emptied && job == Job::kTruncate) state.erase_from = state.not_before + kEraseEvery;
      if (!emptied || job == Job::kTruncate) state.not_before += kRetry;
    }
    if (!stopping_) wake_.wait_until(lock, next_wake(std::chrono::steady_clock::now()));
  }
}

bool Checkpointer::checkpoint(std::size_t file, Job job) {
  const std::lock_guard running(running_);
  auto& connection = connections_[file];
  if (!connection) {
    auto opened = Connection::open(dir_ / file_name(static_cast<File>(file)), connection_options_);
    if (!opened) {
      base::log(base::Level::kWarning, "checkpoint: can't open a database", opened.error());
      return false;
    }
    connection = std::move(*opened);
  }
  int code = SQLITE_OK;
  for (int round = 0; round < kPassiveRounds && code == SQLITE_OK; ++round) {
    int in_log = 0, copied = 0;
    code = sqlite3_wal_checkpoint_v2(connection->handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE,
                                     &in_log, &copied);
    if (in_log - copied < kSmallRemainder) break;
  }
  if (code == SQLITE_OK) {
    const int mode = job == Job::kTruncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_RESTART;
    turn_.precede([&] {
      code = sqlite3_wal_checkpoint_v2(connection->handle(), nullptr, mode, nullptr, nullptr);
    });
  }
  if (code == SQLITE_OK) return true;
  if ((code & 0xFF) != SQLITE_BUSY) {
    base::log(base::Level::kWarning, "checkpoint failed, will be tried again",
              sqlite_failure(connection->handle(), code, "checkpoint").error());
    connection.reset();
  }
  return false;
}

}  // namespace cardvault::store
