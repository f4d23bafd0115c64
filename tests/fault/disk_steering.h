// What tests and the disk's stand-in (disk_faults.cc) tell each other through a shared file.
// tests/fault/disk_steering.py reads and writes the same bytes, so the layout is fixed.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace cardvault::fault {

// Which file a call is about.
enum class Kind : std::uint32_t {
  kNone,  // not one of the vault's
  kVaultDb,
  kVaultWal,
  kRevealDb,
  kRevealWal,
  kData,        // the data folder, and what else is in it
  kTile,        // the published log's tiles and bundles
  kCheckpoint,  // and its successor
  kLogFolder,
};
inline constexpr std::size_t kKinds = 9;

enum class Call : std::uint32_t {
  kOpen,
  kWrite,
  kSync,
  kTruncate,
  kRename,
  kUnlink,
  kMakeFolder,
  kChangeMode,
};
inline constexpr std::size_t kCalls = 8;

// All zero: nothing goes wrong.
struct Steering {
  char data[256];   // the data folder, absolute, no slash at its end
  char audit[256];  // the published log's
  std::atomic<std::uint32_t> kind;
  std::atomic<std::uint32_t> call;
  std::atomic<std::uint32_t> at;     // the next call of that kind but `at` - 1; 0: none
  std::atomic<std::uint32_t> error;  // an errno; 0: it hangs, then goes on
  std::atomic<std::uint32_t> hang_ms;
  std::atomic<std::uint32_t> fired;    // calls that went wrong
  std::atomic<std::uint32_t> record;   // 1: each call goes into the journal
  std::atomic<std::uint32_t> records;  // in the journal so far
  std::atomic<std::uint32_t> counts[kKinds][kCalls];
};
static_assert(offsetof(Steering, counts) == 512 + 32);

// One call that succeeded, in the journal, followed by `path_size` + `data_size` bytes. Folders are
// synced by kSync of their own path; syncfs is one of the path "".
struct JournalRecord {
  std::uint32_t call;
  std::uint32_t path_size;  // of an absolute path; a rename has both, a newline between
  std::uint32_t data_size;
  std::uint32_t begun;   // kSync: how many records there were when it began
  std::uint64_t offset;  // kWrite; kTruncate: the new size; kOpen: 1 made it, 2 emptied it
};
static_assert(sizeof(JournalRecord) == 24);

}  // namespace cardvault::fault
