#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/store/store_fixture.h"

namespace cardvault::store {
namespace {

using StoreOpen = StoreTest;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(StoreOpen, RefusesAnEmptyDirectoryUnlessAskedToCreate) {
  EXPECT_TRUE(contains(startup_error(), "cardvault init"));
  EXPECT_EQ(startup_error({.create = true}), "");
  EXPECT_EQ(startup_error(), "");
}

TEST_F(StoreOpen, DirectoryMayBeReachedThroughALinkButAFileMayNotBeOne) {
  const TempDir links;
  std::filesystem::create_directory_symlink(dir_.path(), links.path() / "data");
  {
    const auto linked = SqliteStore::open(links.path() / "data", {.create = true});
    EXPECT_TRUE(record(*linked, "x").get());
    std::filesystem::create_directory(links.path() / "copy");
    std::filesystem::create_directory_symlink(links.path() / "copy", links.path() / "to");
    EXPECT_TRUE(linked->backup(links.path() / "to", {}));
  }
  const auto vault = dir_.path() / "vault.db";
  std::filesystem::rename(vault, links.path() / "elsewhere");
  std::filesystem::create_symlink(links.path() / "elsewhere", vault);
  EXPECT_TRUE(contains(startup_error(), "vault.db"));
}

TEST_F(StoreOpen, MissingDirectoryIsNamed) {
  EXPECT_THROW((void)SqliteStore::open(dir_.path() / "nowhere", {.create = true}),
               base::StartupError);
}

TEST_F(StoreOpen, FilesAreForTheirOwnerOnly) {
  open();
  ASSERT_TRUE(record(*store_, "x").get());
  for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
    EXPECT_EQ(entry.status().permissions() & std::filesystem::perms::mask,
              std::filesystem::perms::owner_read | std::filesystem::perms::owner_write)
        << entry.path();
  }
}

TEST_F(StoreOpen, SecondOpenerIsRefusedAndToldWhoHasIt) {
  open();
  const std::string error = startup_error();
  EXPECT_TRUE(contains(error, "process " + std::to_string(getpid()) + " already has")) << error;
  close();
  EXPECT_EQ(startup_error(), "");
}

TEST_F(StoreOpen, LockOfAnotherProcessHoldsUntilItDies) {
  open();
  close();
  int ready[2], finish[2];
  ASSERT_EQ(pipe(ready) + pipe(finish), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto held = SqliteStore::open(dir_.path());
    char byte = 'r';
    if (::write(ready[1], &byte, 1) != 1 || ::read(finish[0], &byte, 1) < 0) _exit(1);
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_TRUE(contains(startup_error(), "process " + std::to_string(child) + " already has"));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(startup_error(), "");
  for (const int fd : {ready[0], ready[1], finish[0], finish[1]}) ::close(fd);
}

TEST_F(StoreOpen, RefusesANewerSchema) {
  for (const auto& [file, version] : {std::pair("vault.db", "3"), {"reveal.db", "1"}}) {
    open();
    close();
    run_sql(file, "PRAGMA user_version=99");
    const std::string error = startup_error();
    EXPECT_TRUE(contains(error, file) && contains(error, "version 99") &&
                contains(error, "install the newer"))
        << error;
    run_sql(file, std::string("PRAGMA user_version=") + version);
  }
}

TEST_F(StoreOpen, RefusesAForeignDatabase) {
  run_sql("vault.db", "CREATE TABLE t(x)");
  EXPECT_TRUE(contains(startup_error({.create = true}), "not a card vault's database"));
}

TEST_F(StoreOpen, RefusesAFileThatIsNoDatabase) {
  open();
  close();
  std::filesystem::resize_file(dir_.path() / "vault.db", 0);
  FILE* file = std::fopen((dir_.path() / "vault.db").c_str(), "w");
  for (int i = 0; i < 1000; ++i) std::fputs("not a database ", file);
  std::fclose(file);
  EXPECT_TRUE(contains(startup_error(), "vault.db"));
}

TEST_F(StoreOpen, RefusesWhenOneFileIsMissing) {
  open();
  ASSERT_TRUE(record(*store_, "x").get());
  ASSERT_TRUE(write(*store_, [](core::Transaction& tx, auto&) { return tx.put_value("v", {}); }));
  close();
  const auto vault = dir_.path() / "vault.db", reveal = dir_.path() / "reveal.db",
             away = dir_.path() / "away";
  std::filesystem::rename(reveal, away);
  EXPECT_TRUE(contains(startup_error({.create = true}), "reveal.db is missing"));
  std::filesystem::rename(away, reveal);
  std::filesystem::rename(vault, away);
  EXPECT_TRUE(contains(startup_error({.create = true}), "vault.db is missing"));
  std::filesystem::rename(away, vault);
  EXPECT_EQ(startup_error(), "");
}

TEST_F(StoreOpen, FinishesACreationThatWasCutShort) {
  open();
  close();
  std::filesystem::remove(dir_.path() / "reveal.db");
  EXPECT_EQ(startup_error(), "");
}

// Six events, alternating between the files: 0 2 4 in reveal.db, 1 3 5 in vault.db.
class TamperedLog : public StoreTest {
 protected:
  void SetUp() override {
    open();
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(record(*store_, "r").get());
      ASSERT_TRUE(
          write(*store_, [](core::Transaction& tx, auto&) { return tx.put_value("v", {}); }));
    }
    close();
  }
};

TEST_F(TamperedLog, WholeOneOpens) {
  open();
  EXPECT_EQ(store_->next_seq(), 6U);
}

TEST_F(TamperedLog, GapIsNamed) {
  run_sql("reveal.db", "DELETE FROM events WHERE first_seq=2");
  EXPECT_TRUE(contains(startup_error(), "has no events 2 to 2")) << startup_error();
}

TEST_F(TamperedLog, MissingBeginningIsNamed) {
  run_sql("reveal.db", "DELETE FROM events WHERE first_seq=0");
  EXPECT_TRUE(contains(startup_error(), "has no events 0 to 0")) << startup_error();
}

TEST_F(TamperedLog, EventInBothFilesIsNamed) {
  run_sql("reveal.db", "INSERT INTO events VALUES(3,1,x'00')");
  EXPECT_TRUE(contains(startup_error(), "has event 3 twice")) << startup_error();
}

TEST_F(TamperedLog, OverlapIsNamed) {
  run_sql("vault.db", "UPDATE events SET count=2 WHERE first_seq=3");
  EXPECT_TRUE(contains(startup_error(), "has event 4 twice")) << startup_error();
}

TEST_F(TamperedLog, PublishedRowsMayBeGone) {
  run_sql("reveal.db", "DELETE FROM events WHERE first_seq<=2");
  EXPECT_EQ(startup_error({.published = 3}), "");
  EXPECT_NE(startup_error({.published = 2}), "");
  run_sql("reveal.db", "DELETE FROM events");
  run_sql("vault.db", "DELETE FROM events");
  open({.published = 6});
  EXPECT_EQ(store_->next_seq(), 6U);
}

TEST_F(TamperedLog, LeavesCutShortAreDamaged) {
  run_sql("vault.db", "UPDATE events SET leaves=substr(leaves,1,10) WHERE first_seq=3");
  open();
  auto events = store_->make_event_reader().value();
  EXPECT_EQ(events->read(0, 100).error().code, base::Code::kRecordDamaged);
  EXPECT_EQ(events->read(4, 100).value().size(), 2U);
}

}  // namespace
}  // namespace cardvault::store
