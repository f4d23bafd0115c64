#include "provisioning/auditor/progress_line.h"

#include <algorithm>

namespace cardvault::auditor {

ProgressLine::~ProgressLine() {
  if (drawn_) terminal_.err << "\r\033[K" << std::flush;
}

void ProgressLine::show(std::uint64_t done, std::uint64_t all) {
  const auto now = std::chrono::steady_clock::now();
  if (!terminal_.err_is_terminal || now - last_ < std::chrono::milliseconds(100)) return;
  last_ = now;
  drawn_ = true;
  const double seconds = std::chrono::duration<double>(now - began_).count();
  terminal_.err << '\r' << what_ << ' ' << done * 100 / std::max<std::uint64_t>(all, 1) << " %  "
                << done << " of " << all << ' ' << units_ << ", "
                << static_cast<std::uint64_t>(static_cast<double>(done) / seconds) << "/s\033[K"
                << std::flush;
}

}  // namespace cardvault::auditor
