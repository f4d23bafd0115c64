#include "vault/store/write_side.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "vault/store/durable_file.h"

namespace cardvault::store {
namespace {

[[noreturn]] void refuse(const std::filesystem::path& path, const char* what,
                         const base::Error& error) {
  throw base::StartupError(path.string() + ": " + error.operation + " failed (error " +
                           std::to_string(error.number) + "): " +
                           (error.code == base::Code::kStorageFull
                                ? "the disk is full: free space, then try again"
                                : what));
}

void require(const base::Result<void>& done, const std::filesystem::path& path) {
  if (!done) refuse(path, "check the disk, its free space and the file's owner", done.error());
}

void create(const std::filesystem::path& path) {
  require(create_exclusive(path), path);
  require(sync_directory(path.parent_path()), path);
}

int remember_wal_pages(void* pages, sqlite3* /*db*/, const char* /*name*/, int count) {
  *static_cast<int*>(pages) = count;
  return SQLITE_OK;
}

}  // namespace

WriteSide::WriteSide(const std::filesystem::path& dir, const StoreOptions& options) {
  const auto vault = dir / file_name(File::kVault);
  const auto reveal = dir / file_name(File::kReveal);
  const bool has_reveal = std::filesystem::exists(reveal);
  if (!std::filesystem::exists(vault)) {
    if (has_reveal) {
      throw base::StartupError(vault.string() +
                               " is missing while reveal.db is there: restore both from a backup");
    }
    if (!options.create) {
      throw base::StartupError("there is no vault in " + dir.string() +
                               ": run `cardvault init`, or check the configured data directory");
    }
    create(vault);
  }
  open(dir, options, File::kVault);
  const std::uint64_t published =
      std::max(options.published, read_published(connection(File::kVault)));
  if (!has_reveal) {
    // Only a vault that never recorded anything may still lack its second file.
    const auto events =
        connection(File::kVault).integer("SELECT EXISTS(SELECT 1 FROM events)", "read events");
    if (!events || *events != 0 || published != 0) {
      throw base::StartupError(reveal.string() +
                               " is missing: reveals were recorded in it, so the vault stays "
                               "sealed; put the file back, or restore both from a backup");
    }
    create(reveal);
  }
  open(dir, options, File::kReveal);
  next_seq_ = find_next_seq(connection(File::kVault), connection(File::kReveal), published);
  last_event_ms_ = std::max(store::last_event_ms(connection(File::kVault)),
                            store::last_event_ms(connection(File::kReveal)));
  transaction_ = std::make_unique<SqliteTransaction>(connection(File::kVault));
  begin_ = std::make_unique<Statement>(connection(File::kVault), "BEGIN IMMEDIATE");
  commit_ = std::make_unique<Statement>(connection(File::kVault), "COMMIT");
}

void WriteSide::open(const std::filesystem::path& dir, const StoreOptions& options, File file) {
  const auto path = dir / file_name(file);
  require(rewrite_and_sync(path.string() + "-wal"), path);
  auto opened = Connection::open(path, {.access = Access::kWrite,
                                        .mmap_bytes = options.mmap_bytes,
                                        .cache_kib = options.writer_cache_kib,
                                        .vfs = options.vfs});
  if (!opened) {
    refuse(path, "check the disk and the file's owner; a damaged file has to be restored",
           opened.error());
  }
  const auto i = static_cast<std::size_t>(file);
  connections_[i] = std::move(*opened);
  migrate(*connections_[i], file);
  event_rows_[i] = std::make_unique<EventRowWriter>(*connections_[i]);
  sqlite3_wal_hook(connections_[i]->handle(), remember_wal_pages, &wal_pages_[i]);
}

base::Result<void> WriteSide::append(File file, std::uint64_t first_seq, std::uint64_t count,
                                     std::string_view leaves) {
  return event_rows_[static_cast<std::size_t>(file)]->append(first_seq, count, leaves);
}

}  // namespace cardvault::store
