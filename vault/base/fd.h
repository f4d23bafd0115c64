// File descriptors: their owner, and writing to them.
#pragma once

#include <unistd.h>

#include <string_view>
#include <utility>

namespace cardvault::base {

// A descriptor with one owner, who closes it. Not thread-safe.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) noexcept : fd_(fd) {}  // as open(2) returns it: negative is none
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    reset();
    fd_ = std::exchange(other.fd_, -1);
    return *this;
  }
  Fd(const Fd&) = delete;             // one owner closes it
  Fd& operator=(const Fd&) = delete;  // one owner closes it
  ~Fd() { reset(); }
  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
  void reset() noexcept {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
};

// Writes all, going on after signals. 0, or errno; then a part may be written.
[[nodiscard]] int write_all(int fd, std::string_view bytes) noexcept;

// Gives descriptors 0, 1 and 2 that this process was started without an empty input: else a file
// that is opened next takes the number, and gets what is printed. Printing fails then. Before any
// thread.
void fill_standard_descriptors() noexcept;

}  // namespace cardvault::base
