// The committer after a failed group: refuse, never guess.
#include <algorithm>
#include <chrono>

#include "vault/base/log.h"
#include "vault/store/sqlite_committer.h"

namespace cardvault::store {

void SqliteCommitter::fail_all(const base::Error& error) {
  base::log(base::Level::kError, "store: a group failed; refusing until a probe succeeds", error);
  base::Error refusal = error;
  if (refusal.code != base::Code::kStorageFull) refusal.code = base::Code::kStoreFailed;
  std::deque<std::unique_ptr<core::Commit>> waiting;
  {
    const std::lock_guard lock(mutex_);
    latched_ = refusal;  // before anyone hears of it: what is submitted from done() is refused
    waiting.swap(queue_);
  }
  for (Member& member : group_) {
    core::Commit& commit = *member.commit;
    commit.done(std::unexpected(error), std::move(member.commit));
  }
  for (auto& waiter : waiting) {
    core::Commit& commit = *waiter;
    commit.done(std::unexpected(refusal), std::move(waiter));
  }
}

void SqliteCommitter::recover() {
  std::unique_lock lock(mutex_);
  bool probed = false;
  auto next_probe = std::chrono::steady_clock::now() + options_.probe_interval;
  while (!stopping_) {
    run_boundary_work(lock);
    if (std::chrono::steady_clock::now() < next_probe) {
      work_.wait_until(lock, next_probe, [&] { return stopping_ || boundary_work_ != nullptr; });
      continue;
    }
    lock.unlock();
    probed = probed || probe();
    const bool works = probed && (!options_.on_recovered || options_.on_recovered());
    lock.lock();
    if (works) {
      latched_.reset();
      return;
    }
    next_probe = std::chrono::steady_clock::now() + options_.probe_interval;
  }
}

bool SqliteCommitter::probe() {
  files_.reset();
  try {
    const auto no_checkpoint = checkpointer_.pause();
    files_ = std::make_unique<WriteSide>(dir_, options_);
  } catch (const base::StartupError& error) {
    base::log(base::Level::kError, "store: still failing", {{"reason", error.what()}});
    return false;
  }
  next_seq_ = files_->next_seq();
  last_event_ms_ = std::max(last_event_ms_, files_->last_event_ms());
  for (const File file : {File::kVault, File::kReveal}) {
    if (const auto done = record_recovery(file); !done) {
      base::log(base::Level::kError, "store: still failing", done.error());
      return false;
    }
  }
  base::log(base::Level::kNotice, "store: recovered");
  return true;
}

base::Result<void> SqliteCommitter::record_recovery(File file) {
  core::Event event;
  event.time_ms = options_.now_ms ? options_.now_ms()
                                  : std::chrono::duration_cast<std::chrono::milliseconds>(
                                        std::chrono::system_clock::now().time_since_epoch())
                                        .count();
  event.actor = "system";
  event.operation = "store.recovered";
  event.resource = file_name(file);
  GroupLog log(next_seq_, last_event_ms_);
  log.add(event);
  if (file == File::kVault) {
    if (auto begun = files_->begin(); !begun) return begun;
  }
  auto done = make_durable(log, file);
  files_->rollback();
  if (done) next_seq_ = log.next_seq();
  return done;
}

}  // namespace cardvault::store
