// Reading the published log through a gate: who may, how often that is an event, and which files
// there are.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/daemon/test_vault.h"
#include "vault/audit/checkpoint.h"
#include "vault/daemon/published_files.h"

namespace cardvault::daemon {
namespace {

constexpr std::int64_t kMinuteMs = 60'000;

struct AuditRead : testing::Test {
  AuditRead() {
    for (const char* id : {"auditor", "collector"}) {
      core::Client client;
      client.id = id;
      client.spki_sha256 = std::string(63, '0') + (client.id == "auditor" ? "5" : "6");
      client.permissions = *core::Permissions::parse({"audit.read"});
      vault.clients.put(client);
    }
    std::filesystem::create_directories(folder / "tile/0");
    write("checkpoint", "signed");
    write("tile/0/000", std::string(8192, 'h'));
    vault.services.read_log = [this](const core::AuditRead& request) {
      return read_published_file(folder.string(), {closed.string()}, request);
    };
  }
  void write(const std::string& path, const std::string& bytes) const {
    std::ofstream(folder / path, std::ios::binary) << bytes;
  }
  core::Answer read(const std::string& path, std::uint8_t pin = kAuditor) {
    return vault.call_through(ceiling, pin, core::AuditRead{path, 0});
  }
  std::size_t events() { return vault.count_in_log("\"op\":\"audit.read\""); }

  static constexpr std::uint8_t kAuditor = 5, kCollector = 6;
  TestVault vault;
  std::filesystem::path folder = vault.dir / "log", closed = vault.dir / "closed";
  core::Ceiling ceiling{"auditor", {"*"}, *core::Permissions::parse({"audit.read"})};
};

TEST_F(AuditRead, GivesFilesAsTheyAre) {
  EXPECT_EQ(std::get<core::AuditPiece>(read("checkpoint")).bytes, "signed");
  EXPECT_EQ(std::get<core::AuditPiece>(read("tile/0/000")).size, 8192U);
}

TEST_F(AuditRead, GivesTilesThatWereMovedAndNoCheckpointOfThatFolder) {
  std::filesystem::create_directories(closed / "tile/0");
  std::filesystem::rename(folder / "tile/0/000", closed / "tile/0/000");
  std::filesystem::rename(folder / "checkpoint", closed / "checkpoint");
  EXPECT_EQ(std::get<core::AuditPiece>(read("tile/0/000")).size, 8192U);
  EXPECT_TRUE(std::holds_alternative<core::Failure>(read("checkpoint")));
}

// What the log must have and no folder does is not said to be absent: a mirror would raise an
// alarm.
TEST_F(AuditRead, SaysThatAFolderOfClosedMonthsIsMissing) {
  write("checkpoint", audit::checkpoint_text({"vault.example/log", 600, {}}));
  for (const char* path : {"tile/0/001", "tile/entries/000", "tile/entries/001"}) {
    EXPECT_EQ(outcome_name(read(path)), "store_failed") << path;
  }
  for (const char* path : {"tile/0/002", "tile/1/000", "tile/0/001.p/7", "tile/7/000"}) {
    EXPECT_EQ(outcome_name(read(path)), "not_found") << path;
  }
  const std::string month = "segment/2026-10/checkpoint";
  EXPECT_EQ(outcome_name(read(month)), "store_failed");
  EXPECT_EQ(outcome_name(read("segment/latest")), "not_found");
  std::filesystem::create_directories(closed / "tile");
  EXPECT_EQ(outcome_name(read(month)), "not_found");
}

TEST_F(AuditRead, GivesTheNotesOfClosedMonths) {
  std::filesystem::create_directories(folder / "segment/2026-10/tile/0/000.p");
  std::filesystem::create_directories(closed / "segment/2026-09");
  for (const char* path : {"segment/latest", "segment/2026-10/manifest",
                           "segment/2026-10/checkpoint", "segment/2026-10/tile/0/000.p/3"}) {
    write(path, path);
    EXPECT_EQ(std::get<core::AuditPiece>(read(path)).bytes, path);
  }
  std::filesystem::rename(folder / "segment/2026-10/manifest", closed / "segment/2026-09/manifest");
  EXPECT_EQ(std::get<core::AuditPiece>(read("segment/2026-09/manifest")).bytes,
            "segment/2026-10/manifest");
  std::filesystem::rename(folder / "segment/latest", closed / "segment/latest");
  EXPECT_EQ(outcome_name(read("segment/latest")), "not_found");
}

TEST_F(AuditRead, OfASessionIsOneEvent) {
  for (int i = 0; i < 50; ++i) static_cast<void>(read("tile/0/000"));
  EXPECT_EQ(events(), 1U);
  vault.clock.now += 10 * kMinuteMs - 1;
  static_cast<void>(read("checkpoint"));
  EXPECT_EQ(events(), 1U);
  vault.clock.now += 1;
  static_cast<void>(read("checkpoint"));
  EXPECT_EQ(events(), 2U);
  static_cast<void>(read("checkpoint", kCollector));
  EXPECT_EQ(events(), 3U);
  ceiling.gate = "second";
  static_cast<void>(read("checkpoint"));
  EXPECT_EQ(events(), 4U);
}

TEST_F(AuditRead, FailingIsAlwaysAnEventButForAFileThatIsGone) {
  EXPECT_EQ(outcome_name(read("tile/0/001")), "not_found");
  EXPECT_EQ(events(), 1U);  // nothing was read yet: no session
  static_cast<void>(read("checkpoint"));
  EXPECT_EQ(outcome_name(read("tile/0/001")), "not_found");
  EXPECT_EQ(events(), 2U);
  for (const char* path : {"../vault.db", "tile/0/../../../vault.db", "", "/etc/passwd", "tile"}) {
    EXPECT_EQ(outcome_name(read(path)), "path_not_found") << path;
  }
  EXPECT_EQ(events(), 7U);
  EXPECT_EQ(vault.count_in_log("passwd"), 0U);  // what was asked for is free text
}

TEST_F(AuditRead, NeedsThePermissionAndAGateThatMayAssertIt) {
  EXPECT_EQ(outcome_name(read("checkpoint", TestVault::kWeb)), "permission_denied");
  ceiling.permissions = *core::Permissions::parse({"tokenize", "cards.read"});
  EXPECT_EQ(outcome_name(read("checkpoint")), "permission_denied");
  ceiling.clients = {"web"};
  EXPECT_EQ(outcome_name(read("checkpoint")), "permission_denied");
}

TEST_F(AuditRead, GivesLongFilesInPieces) {
  const std::string bytes(core::kMaxAuditPiece * 2 + 5, 'e');
  std::filesystem::create_directories(folder / "tile/entries");
  write("tile/entries/000", bytes);
  const auto piece = [&](std::uint64_t offset) {
    return read_published_file(folder.string(), {}, {"tile/entries/000", offset});
  };
  std::string all;
  while (all.size() < bytes.size()) {
    const auto part = piece(all.size());
    ASSERT_TRUE(part);
    EXPECT_EQ(part->size, bytes.size());
    EXPECT_LE(part->bytes.size(), core::kMaxAuditPiece);
    all += part->bytes;
  }
  EXPECT_EQ(all, bytes);
  EXPECT_EQ(piece(bytes.size())->bytes, "");
  EXPECT_EQ(piece(bytes.size() + 1).error().code, base::Code::kInvalidArgument);
}

TEST_F(AuditRead, OpensNothingThatIsNoFile) {
  std::filesystem::create_directories(folder / "tile/0/002");
  EXPECT_EQ(outcome_name(read("tile/0/002")), "store_failed");
}

}  // namespace
}  // namespace cardvault::daemon
