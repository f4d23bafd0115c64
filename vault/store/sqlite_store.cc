#include "vault/store/sqlite_store.h"

#include <utility>

namespace cardvault::store {
namespace {

// SQLite is told not to follow links (a file swapped for one would be written through), and that
// holds for every part of a path.
std::filesystem::path resolved(const std::filesystem::path& dir) {
  std::error_code missing;
  auto path = std::filesystem::canonical(dir, missing);
  return missing ? dir : path;
}

}  // namespace

std::unique_ptr<SqliteStore> SqliteStore::open(const std::filesystem::path& dir,
                                               StoreOptions options) {
  return std::unique_ptr<SqliteStore>(new SqliteStore(dir, std::move(options)));
}

SqliteStore::SqliteStore(const std::filesystem::path& dir, StoreOptions options)
    : dir_(resolved(dir)), options_(std::move(options)), lock_(dir_) {
  auto files = std::make_unique<WriteSide>(dir_, options_);
  last_event_ms_ = files->last_event_ms();
  checkpointer_ = std::make_unique<Checkpointer>(dir_, options_);
  // A killed process may have left deleted cards in a WAL.
  for (const File file : {File::kVault, File::kReveal}) checkpointer_->committed(file, 1, true);
  // Once there is a vault, a probe must never make another.
  StoreOptions running = options_;
  running.create = false;
  committer_ =
      std::make_unique<SqliteCommitter>(dir_, std::move(running), std::move(files), *checkpointer_);
}

base::Result<std::unique_ptr<Connection>> SqliteStore::connect(File file) const {
  return Connection::open(dir_ / file_name(file), {.access = Access::kRead,
                                                   .mmap_bytes = options_.mmap_bytes,
                                                   .cache_kib = options_.reader_cache_kib,
                                                   .vfs = options_.vfs});
}

base::Result<std::unique_ptr<SqliteReader>> SqliteStore::make_reader() const {
  auto connection = connect(File::kVault);
  if (!connection) return std::unexpected(connection.error());
  return std::make_unique<SqliteReader>(std::move(*connection));
}

base::Result<std::unique_ptr<EventReader>> SqliteStore::make_event_reader() const {
  auto vault = connect(File::kVault);
  if (!vault) return std::unexpected(vault.error());
  auto reveal = connect(File::kReveal);
  if (!reveal) return std::unexpected(reveal.error());
  return std::make_unique<EventReader>(std::move(*vault), std::move(*reveal));
}

base::Result<void> SqliteStore::backup(const std::filesystem::path& target,
                                       const BackupProgress& progress) {
  auto vault = connect(File::kVault);
  if (!vault) return std::unexpected(vault.error());
  auto reveal = connect(File::kReveal);
  if (!reveal) return std::unexpected(reveal.error());
  const auto copies = resolved(target);
  base::Result<void> done;
  std::int64_t total = 0;
  const bool ran = committer_->between_groups([&] {
    done = hold_snapshot(**vault);
    if (done) done = hold_snapshot(**reveal);
  });
  if (!ran) return base::fail(base::Code::kVaultUnavailable, "backup");
  std::int64_t vault_pages = 0;
  for (Connection* source : {vault->get(), reveal->get()}) {
    const auto pages = done ? source->integer("PRAGMA page_count", "count pages") : 0;
    if (!pages) return std::unexpected(pages.error());
    if (source == vault->get()) vault_pages = *pages;
    total += *pages;
  }
  const auto report = [&](std::int64_t before) -> BackupProgress {
    if (!progress) return {};
    return [&, before](std::int64_t pages, std::int64_t) { progress(before + pages, total); };
  };
  if (done) done = copy_snapshot(**vault, copies / file_name(File::kVault), report(0));
  if (!done) return done;
  done = copy_snapshot(**reveal, copies / file_name(File::kReveal), report(vault_pages));
  if (!done) std::filesystem::remove(copies / file_name(File::kVault));
  return done;
}

}  // namespace cardvault::store
