// How full the vault's disks are, and what is refused for it (docs/reliability.md).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cardvault::daemon {

// Each refuses what the one before does, too.
enum class DiskLevel : std::uint8_t {
  kEnough,
  kLow,        // an alarm; what strangers cause is logged in sum, no longer by source
  kNoReveals,  // card numbers are not revealed, as each reveal has to be logged
  kNoWrites,   // nothing is stored; what is left is for the log's other events
};
// "ready", "disk_low", "disk_low_no_reveals", "disk_low_no_writes": as /readyz and alarms call it.
[[nodiscard]] std::string_view disk_state(DiskLevel level) noexcept;

struct DiskState {
  DiskLevel level = DiskLevel::kEnough;
  std::string what;  // which disk, and how much is free; for people
};

// [disk]: free MiB below which a level begins; 0: it never does.
struct DiskConfig {
  std::uint32_t warn_mib = 2048;
  std::uint32_t refuse_reveals_mib = 1024;
  std::uint32_t refuse_writes_mib = 512;
  friend bool operator==(const DiskConfig&, const DiskConfig&) = default;
};

// On a small disk a level begins at 20, 10 and 5 % of it, where that is less. Ends when an eighth
// more than its limit is free, so that it does not come and go.
[[nodiscard]] DiskLevel disk_level(const DiskConfig& config, std::uint64_t free_bytes,
                                   std::uint64_t size_bytes, DiskLevel before);

}  // namespace cardvault::daemon
