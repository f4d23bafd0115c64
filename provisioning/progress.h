// A progress bar on stderr, only where a person watches: nothing is printed when it is no terminal.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>

namespace cardvault::provisioning {

// Draws over one line and clears it at the end. Not thread-safe.
class Progress {
 public:
  Progress(std::ostream& out, bool terminal, std::string what)
      : out_(out), terminal_(terminal), what_(std::move(what)) {}
  Progress(const Progress&) = delete;             // one line, one owner
  Progress& operator=(const Progress&) = delete;  // one line, one owner
  ~Progress();

  // total 0: not known, the number alone is shown.
  void show(std::uint64_t done, std::uint64_t total);

 private:
  std::ostream& out_;
  bool terminal_;
  std::string what_;
  std::uint64_t shown_ = UINT64_MAX;  // the last percentage or number drawn
};

}  // namespace cardvault::provisioning
