// Chunks of a backup, and the key pair made of the custodians' backup key.
#include <gtest/gtest.h>

#include "provisioning/backup_file.h"
#include "provisioning/backup_key.h"
#include "provisioning/backup_stream.h"

namespace cardvault::provisioning {
namespace {

using Chunk = std::vector<std::uint8_t>;

base::SecretBuffer key() { return base::SecretBuffer(32, 0x42); }
custody::Digest context(std::string_view text = "header") { return custody::sha256(text); }

// Three chunks, the last one short.
std::vector<Chunk> sealed() {
  ChunkCipher cipher(key(), context());
  const Chunk full(kChunkBytes, 7), rest(100, 8);
  return {cipher.seal(full, false), cipher.seal(full, false), cipher.seal(rest, true)};
}

TEST(BackupStream, OpensWhatItSealed) {
  ChunkCipher cipher(key(), context());
  const auto chunks = sealed();
  EXPECT_EQ(*cipher.open(chunks[0], false), Chunk(kChunkBytes, 7));
  EXPECT_EQ(*cipher.open(chunks[1], false), Chunk(kChunkBytes, 7));
  EXPECT_EQ(*cipher.open(chunks[2], true), Chunk(100, 8));
}

TEST(BackupStream, AChunkOpensInItsPlaceOnly) {
  const auto chunks = sealed();
  EXPECT_FALSE(ChunkCipher(key(), context()).open(chunks[1], false));
  EXPECT_FALSE(ChunkCipher(key(), context()).open(chunks[0], true))
      << "a cut text has no last chunk";
  EXPECT_FALSE(ChunkCipher(key(), context("another header")).open(chunks[0], false));
  EXPECT_FALSE(ChunkCipher(base::SecretBuffer(32, 1), context()).open(chunks[0], false));
  Chunk changed = chunks[0];
  changed[kChunkBytes / 2] ^= 1;
  EXPECT_FALSE(ChunkCipher(key(), context()).open(changed, false));
  EXPECT_FALSE(ChunkCipher(key(), context()).open(Chunk(kChunkTag - 1), true));
}

TEST(BackupStream, SizesAreOfWholeChunksAndTheirTags) {
  EXPECT_EQ(sealed_size(0), kChunkTag);
  EXPECT_EQ(sealed_size(kChunkBytes), kChunkBytes + kChunkTag);
  EXPECT_EQ(sealed_size(kChunkBytes + 1), kChunkBytes + 1 + 2 * kChunkTag);
}

TEST(BackupKey, IsOfTheSecretAndTheVault) {
  const auto one = backup_recipient(key(), "0123456789abcdef");
  EXPECT_EQ(one.point.size(), 65U);
  EXPECT_EQ(one.point, backup_recipient(key(), "0123456789abcdef").point);
  EXPECT_NE(one.point, backup_recipient(key(), "0123456789abcdee").point);
  EXPECT_NE(one.point, backup_recipient(base::SecretBuffer(32, 1), "0123456789abcdef").point);
}

BackupHeader header() {
  BackupHeader out;
  out.vault = "0123456789abcdef";
  out.made = "2026-11-22T12:00:00.000Z";
  out.recipient = "p256:02";
  out.split = 1;
  out.file_key = "a.b.c";
  out.clear = {{"checkpoint", 10, context()}};
  out.members = {{"vault.db", 70000, context()}, {"custody/wrapped-keys", 0, context()}};
  return out;
}

TEST(BackupHeader, ReadsWhatItWrote) {
  const BackupHeader read = parse_backup_header("x", encode(header()));
  EXPECT_EQ(encode(read), encode(header()));
  EXPECT_EQ(read.plain_size(), 70000U);
}

TEST(BackupHeader, RefusesWhatCouldBeWrittenElsewhere) {
  for (const char* name : {"../vault.db", "/etc/passwd", "a/b/c", ".hidden", "a/.b", "", "a b",
                           "a/", "-.../b", "a/-b"}) {
    EXPECT_FALSE(valid_part_name(name)) << name;
    BackupHeader bad = header();
    bad.members[0].name = name;
    EXPECT_THROW(static_cast<void>(parse_backup_header("x", encode(bad))), base::StartupError)
        << name;
  }
  EXPECT_TRUE(valid_part_name("custody/transcript.1"));
}

TEST(BackupHeader, RefusesSizesThatDoNotFit) {
  std::string text = encode(header());
  text.replace(text.find("70000"), 5, "70001");
  EXPECT_THROW(static_cast<void>(parse_backup_header("x", text)), base::StartupError);
  BackupHeader twice = header();
  twice.members.push_back(twice.members[0]);
  EXPECT_THROW(static_cast<void>(parse_backup_header("x", encode(twice))), base::StartupError);
}

}  // namespace
}  // namespace cardvault::provisioning
