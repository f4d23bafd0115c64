#include "vault/store/backup.h"

#include "vault/store/durable_file.h"

namespace cardvault::store {
namespace {

constexpr int kPagesPerStep = 2048;

base::Result<void> copy_pages(Connection& source, sqlite3* target, const BackupProgress& progress) {
  sqlite3_backup* backup = sqlite3_backup_init(target, "main", source.handle(), "main");
  if (backup == nullptr) return sqlite_failure(target, sqlite3_errcode(target), "begin backup");
  int code = SQLITE_OK;
  while (code == SQLITE_OK) {
    code = sqlite3_backup_step(backup, kPagesPerStep);
    const int total = sqlite3_backup_pagecount(backup);
    if (progress) progress(total - sqlite3_backup_remaining(backup), total);
  }
  sqlite3_backup_finish(backup);
  if (code != SQLITE_DONE) return sqlite_failure(nullptr, code, "copy backup");
  return {};
}

base::Result<void> fill(Connection& source, const std::filesystem::path& path,
                        const BackupProgress& progress) {
  sqlite3* target = nullptr;
  int code =
      sqlite3_open_v2(path.c_str(), &target,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, nullptr);
  base::Result<void> done;
  if (code != SQLITE_OK) {
    done = sqlite_failure(target, code, "open backup");
  } else {
    // A copy that was interrupted is thrown away: it needs no journal, and one sync at the end.
    sqlite3_exec(target, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF", nullptr, nullptr,
                 nullptr);
    done = copy_pages(source, target, progress);
  }
  code = sqlite3_close(target);
  if (done && code != SQLITE_OK) done = sqlite_failure(nullptr, code, "close backup");
  return done;
}

}  // namespace

base::Result<void> hold_snapshot(Connection& source) {
  if (auto begun = source.execute("BEGIN", "begin snapshot"); !begun) return begun;
  const auto looked = source.integer("SELECT count(*) FROM sqlite_schema", "take snapshot");
  if (!looked) return std::unexpected(looked.error());
  return {};
}

base::Result<void> copy_snapshot(Connection& source, const std::filesystem::path& target,
                                 const BackupProgress& progress) {
  if (auto created = create_exclusive(target); !created) return created;
  auto done = fill(source, target, progress);
  if (done) done = sync_file(target);
  if (done) done = sync_directory(target.parent_path());
  if (!done) std::filesystem::remove(target);
  return done;
}

}  // namespace cardvault::store
