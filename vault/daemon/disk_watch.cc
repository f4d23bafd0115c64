#include "vault/daemon/disk_watch.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "vault/base/log.h"

namespace cardvault::daemon {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::array<std::uint64_t, 4> kMostPercent = {0, 20, 10, 5};  // of the disk, by level

struct Space {
  std::uint64_t free = 0, size = 0;
};

bool measure(const std::string& folder, Space& space) {
  struct statvfs status{};
  while (::statvfs(folder.c_str(), &status) != 0) {
    if (errno != EINTR) return false;  // whoever writes there has an alarm of its own
  }
  // f_bavail: what is reserved for root is not the daemon's.
  space = {status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize};
  return true;
}

std::uint64_t limit_of(const DiskConfig& config, DiskLevel level, std::uint64_t size_bytes) {
  const std::array<std::uint64_t, 4> mib = {0, config.warn_mib, config.refuse_reveals_mib,
                                            config.refuse_writes_mib};
  const auto i = static_cast<std::size_t>(level);
  return std::min(mib[i] * kMiB, size_bytes / 100 * kMostPercent[i]);
}

}  // namespace

std::string_view disk_state(DiskLevel level) noexcept {
  switch (level) {
    case DiskLevel::kEnough:
      return "ready";
    case DiskLevel::kLow:
      return "disk_low";
    case DiskLevel::kNoReveals:
      return "disk_low_no_reveals";
    case DiskLevel::kNoWrites:
      return "disk_low_no_writes";
  }
  return "";
}

DiskLevel disk_level(const DiskConfig& config, std::uint64_t free_bytes, std::uint64_t size_bytes,
                     DiskLevel before) {
  for (const DiskLevel level : {DiskLevel::kNoWrites, DiskLevel::kNoReveals, DiskLevel::kLow}) {
    std::uint64_t limit = limit_of(config, level, size_bytes);
    if (before >= level) limit += limit / 8;
    if (free_bytes < limit) return level;
  }
  return DiskLevel::kEnough;
}

void DiskWatch::look() {
  const Config& config = vault_.config();
  Space data, audit;
  if (measure(config.data_dir, data)) {
    data_ = disk_level(config.disk, data.free, data.size, data_);
    vault_.metrics().gauge("cardvault_data_free_bytes", "Free on the disk of the databases",
                           static_cast<double>(data.free));
  }
  if (measure(config.audit.dir, audit)) {
    audit_ = disk_level(config.disk, audit.free, audit.size, audit_);
    vault_.metrics().gauge("cardvault_audit_free_bytes", "Free on the disk of the published log",
                           static_cast<double>(audit.free));
  }
  const DiskLevel level = std::max(data_, audit_);
  const DiskLevel before = vault_.disk()->level;
  vault_.metrics().gauge("cardvault_disk_level",
                         "0: enough space, 1: low, 2: no reveals, 3: no writes",
                         static_cast<double>(level));
  const bool on_data = data_ >= audit_;
  const std::string& folder = on_data ? config.data_dir : config.audit.dir;
  const std::string mib = std::to_string((on_data ? data : audit).free / kMiB);
  vault_.set_disk({level, "the disk of " + folder + " has " + mib + " MiB left"});
  if (level == before) return;
  if (level > before) {
    vault_.alarm(disk_state(level), {{"disk", on_data ? "data" : "audit"}, {"free_mib", mib}});
    return;
  }
  core::Event event = vault_.system_event("disk.freed");
  event.details = {{"now", std::string(disk_state(level))}};
  vault_.announce({std::move(event)});
  base::log(base::Level::kNotice, "there is more room again", {{"now", disk_state(level)}});
}

}  // namespace cardvault::daemon
