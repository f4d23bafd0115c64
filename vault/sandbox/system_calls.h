// Which system calls this process may still make (seccomp(2)).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

namespace cardvault::sandbox {

// An allow-list: any other call kills the process (SECCOMP_RET_KILL_PROCESS). Allowed from the
// start is what every program of the vault needs, and none of it reaches further than its own
// memory, threads, descriptors and the files that Landlock leaves it: memory without executable
// writable pages, threads but no processes, time, signals to itself, polling, reading.
//
// All members throw base::StartupError where libseccomp or the kernel refuses; not thread-safe.
class SystemCalls {
 public:
  SystemCalls();

  void allow(std::initializer_list<int> calls);
  // By name, as configured; throws StartupError for one that doesn't exist.
  void allow(const std::string& name);
  // Where (argument & mask) == value; arguments count from 0.
  struct Condition {
    unsigned argument;
    std::uint64_t mask;
    std::uint64_t value;
  };
  // Where all of these hold. Several rules of a call add up.
  void allow_if(int call, const std::vector<Condition>& all);
  void allow_if(int call, unsigned argument, std::uint64_t mask, std::uint64_t value) {
    allow_if(call, {{argument, mask, value}});
  }
  // Opening files for reading only.
  void allow_reading_files();
  // Mapping files as code: libraries that are loaded later.
  void allow_loading_code();

  // From here on, for this thread and all to come, not to be taken back. Does nothing in sanitizer
  // builds (kConfined).
  void hold();

 private:
  struct Release {
    void operator()(void* filter) const noexcept;
  };
  std::unique_ptr<void, Release> filter_;
};

}  // namespace cardvault::sandbox
