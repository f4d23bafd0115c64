#include "vault/store/new_log.h"

#include "vault/store/connection.h"
#include "vault/store/event_rows.h"
#include "vault/store/schema.h"

namespace cardvault::store {

base::Result<void> begin_new_log(const std::filesystem::path& dir) {
  const auto folder = std::filesystem::canonical(dir);
  for (const File file : {File::kReveal, File::kVault}) {
    auto opened = Connection::open(folder / file_name(file), {.access = Access::kWrite});
    if (!opened) return std::unexpected(opened.error());
    std::string sql = "BEGIN IMMEDIATE; DELETE FROM events;";
    if (file == File::kVault) {
      sql += "DELETE FROM named_values WHERE name='" + std::string(kPublishedValue) + "';";
    }
    sql += "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)";
    if (auto done = (*opened)->execute(sql.c_str(), "begin a new log"); !done) return done;
  }
  return {};
}

}  // namespace cardvault::store
