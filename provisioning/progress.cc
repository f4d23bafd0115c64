#include "provisioning/progress.h"

#include <algorithm>

namespace cardvault::provisioning {
namespace {
constexpr std::uint64_t kBarCells = 30;
}

Progress::~Progress() {
  if (shown_ != UINT64_MAX) out_ << "\r\033[K" << std::flush;
}

void Progress::show(std::uint64_t done, std::uint64_t total) {
  const std::uint64_t percent = total == 0 ? done : std::min(done, total) * 100 / total;
  if (!terminal_ || percent == shown_) return;
  shown_ = percent;
  out_ << '\r' << what_ << ' ';
  if (total == 0) {
    out_ << done;
  } else {
    const std::uint64_t cells = percent * kBarCells / 100;
    out_ << '[' << std::string(cells, '=') << std::string(kBarCells - cells, ' ') << "] " << percent
         << " %";
  }
  out_ << "\033[K" << std::flush;
}

}  // namespace cardvault::provisioning
