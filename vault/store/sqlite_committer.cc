#include "vault/store/sqlite_committer.h"

#include <algorithm>
#include <utility>

#include "vault/base/check.h"

namespace cardvault::core {

// The only maker of receipts: called for a commit whose group is durable.
class ReceiptIssuer {
 public:
  static Receipt issue(std::uint64_t seq) { return Receipt(seq); }
};

}  // namespace cardvault::core

namespace cardvault::store {
namespace {

constexpr std::int64_t kExpiredPerGroup = 200;
constexpr std::size_t kForgottenAtOnce = 64;  // rows

void refuse(std::unique_ptr<core::Commit> commit, const base::Error& error) {
  core::Commit& refused = *commit;
  refused.done(std::unexpected(error), std::move(commit));
}

}  // namespace

SqliteCommitter::SqliteCommitter(std::filesystem::path dir, StoreOptions options,
                                 std::unique_ptr<WriteSide> files, Checkpointer& checkpointer)
    : dir_(std::move(dir)),
      options_(std::move(options)),
      checkpointer_(checkpointer),
      next_seq_(files->next_seq()),
      files_(std::move(files)),
      last_event_ms_(files_->last_event_ms()),
      thread_([this] { run(); }) {}

void SqliteCommitter::submit(std::unique_ptr<core::Commit> commit) {
  std::optional<base::Error> refusal;
  {
    const std::lock_guard lock(mutex_);
    if (latched_) {
      refusal = latched_;
    } else if (stopping_ || queue_.size() >= options_.queue_limit) {
      refusal = base::Error{base::Code::kOverloaded, "queue commit"};
    } else {
      queue_.push_back(std::move(commit));
      if (waiting_) work_.notify_one();
    }
  }
  if (refusal) refuse(std::move(commit), *refusal);
}

base::Result<void> SqliteCommitter::state() const {
  const std::lock_guard lock(mutex_);
  if (latched_) return std::unexpected(*latched_);
  return {};
}

void SqliteCommitter::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool SqliteCommitter::between_groups(const std::function<void()>& work) {
  std::unique_lock lock(mutex_);
  boundary_done_.wait(lock, [&] { return stopped_ || boundary_work_ == nullptr; });
  if (stopped_) return false;
  boundary_work_ = &work;
  work_.notify_all();
  // Another caller may take the place once ours is done, so "not ours" is what to wait for.
  boundary_done_.wait(lock, [&] { return stopped_ || boundary_work_ != &work; });
  if (boundary_work_ != &work) return true;
  boundary_work_ = nullptr;
  return false;
}

void SqliteCommitter::run_boundary_work(std::unique_lock<std::mutex>& lock) {
  if (boundary_work_ == nullptr) return;
  const auto* work = boundary_work_;
  lock.unlock();
  (*work)();
  lock.lock();
  boundary_work_ = nullptr;
  boundary_done_.notify_all();
}

void SqliteCommitter::run() {
  while (take_group()) {
    const auto written = write_group();
    if (written) {
      answer_group();
    } else {
      fail_all(written.error());
      if (options_.on_answered) options_.on_answered();
      recover();
    }
    group_.clear();
  }
  files_.reset();
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  boundary_done_.notify_all();
}

bool SqliteCommitter::take_group() {
  std::unique_lock lock(mutex_);
  while (true) {
    run_boundary_work(lock);
    if (!queue_.empty()) break;
    if (stopping_) return false;
    waiting_ = true;
    work_.wait(lock, [&] { return !queue_.empty() || stopping_ || boundary_work_ != nullptr; });
    waiting_ = false;
  }
  const std::size_t size = std::min(queue_.size(), options_.group_limit);
  for (std::size_t i = 0; i < size; ++i) {
    group_.push_back({std::move(queue_.front()), std::nullopt});
    queue_.pop_front();
  }
  return true;
}

base::Result<void> SqliteCommitter::write_group() {
  const bool effect = std::any_of(group_.begin(), group_.end(),
                                  [](const Member& m) { return m.commit->has_effect(); });
  const std::uint64_t writes = files_->transaction().writes();
  GroupLog log(next_seq_, last_event_ms_);
  const auto turn = checkpointer_.turn().take();
  if (effect) {
    if (auto begun = files_->begin(); !begun) return begun;
  }
  auto done = apply_members(log);
  // Conflicts alone leave nothing to commit.
  if (done && (log.count() != 0 || files_->transaction().writes() != writes)) {
    done = make_durable(log, effect ? File::kVault : File::kReveal);
  }
  files_->rollback();
  if (done) next_seq_ = log.next_seq();
  return done;
}

base::Result<void> SqliteCommitter::apply_members(GroupLog& log) {
  SqliteTransaction& transaction = files_->transaction();
  for (std::size_t i = 0; i < group_.size(); ++i) {
    Member& member = group_[i];
    const std::uint64_t first_seq = log.next_seq();
    const std::uint64_t writes = transaction.writes();
    const bool may_write = member.commit->has_effect();
    const auto applied = member.commit->apply(transaction, log);
    const bool silent = log.next_seq() == first_seq;
    const bool wrote = transaction.writes() != writes;
    if (applied) {
      CARDVAULT_CHECK(may_write || (!silent && !wrote));
      member.first_seq = first_seq;
    } else if (applied.error().code == base::Code::kConflict) {
      CARDVAULT_CHECK(silent && !wrote);
    } else {
      return applied;
    }
    if (log.leaves().size() >= options_.group_bytes) put_back(i + 1);
  }
  return {};
}

void SqliteCommitter::put_back(std::size_t from) {
  const std::lock_guard lock(mutex_);
  while (group_.size() > from) {
    queue_.push_front(std::move(group_.back().commit));
    group_.pop_back();
  }
}

base::Result<void> SqliteCommitter::make_durable(const GroupLog& log, File file) {
  base::Result<void> done;
  if (log.count() != 0) {
    done = files_->append(file, log.first_seq(), log.count(), log.leaves());
  }
  if (done && file == File::kVault) {
    done = expire_some();
    if (done) done = files_->commit();
  }
  const bool deleted = files_->transaction().take_deleted();
  if (done) checkpointer_.committed(file, files_->wal_pages(file), deleted);
  if (done && log.count() != 0 && options_.on_durable) options_.on_durable(log.leaves());
  return done;
}

base::Result<void> SqliteCommitter::expire_some() {
  std::int64_t now_ms = expire_now_ms_;
  if (now_ms == 0) return {};
  const auto more = files_->transaction().expire(now_ms, kExpiredPerGroup);
  if (!more) return std::unexpected(more.error());
  // A newer request stays.
  if (!*more) expire_now_ms_.compare_exchange_strong(now_ms, 0);
  return {};
}

base::Result<void> SqliteCommitter::forget_events(std::uint64_t below) {
  for (const File file : {File::kReveal, File::kVault}) {
    base::Result<std::size_t> gone = kForgottenAtOnce;
    while (gone && *gone == kForgottenAtOnce) {
      if (!between_groups([&] { gone = forget_some(file, below); })) {
        return base::fail(base::Code::kVaultUnavailable, "forget events");
      }
    }
    if (!gone) return std::unexpected(gone.error());
  }
  return {};
}

base::Result<std::size_t> SqliteCommitter::forget_some(File file, std::uint64_t below) {
  if (files_ == nullptr) return base::fail(base::Code::kStoreFailed, "forget events");
  const auto turn = checkpointer_.turn().take();
  auto gone = files_->forget(file, below, kForgottenAtOnce);
  if (gone && *gone != 0) checkpointer_.committed(file, files_->wal_pages(file), false);
  return gone;
}

void SqliteCommitter::answer_group() {
  for (Member& member : group_) {
    core::Commit& commit = *member.commit;
    if (member.first_seq) {
      commit.done(core::ReceiptIssuer::issue(*member.first_seq), std::move(member.commit));
    } else {
      commit.done(base::fail(base::Code::kConflict, "apply commit"), std::move(member.commit));
    }
  }
  if (options_.on_answered) options_.on_answered();
}

}  // namespace cardvault::store
