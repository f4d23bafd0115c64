// How far a long command is, where somebody watches.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "provisioning/auditor/terminal.h"

namespace cardvault::auditor {

// One line, drawn over at most ten times a second and cleared at the end. One thread at a time.
class ProgressLine {
 public:
  // "verify 12 %  120 of 1000 records, 90/s"
  ProgressLine(const Terminal& terminal, std::string what, std::string units)
      : terminal_(terminal), what_(std::move(what)), units_(std::move(units)) {}
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;             // one line, one owner
  ProgressLine& operator=(const ProgressLine&) = delete;  // one line, one owner

  void show(std::uint64_t done, std::uint64_t all);

 private:
  using Time = std::chrono::steady_clock::time_point;
  const Terminal& terminal_;
  const std::string what_, units_;
  const Time began_ = std::chrono::steady_clock::now();
  Time last_{};
  bool drawn_ = false;
};

}  // namespace cardvault::auditor
