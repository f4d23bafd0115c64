// What a client is told about a refusal: RFC 9457 problem details. The one place that maps a Code
// to an HTTP status.
#pragma once

#include <string_view>

#include "vault/base/result.h"

namespace cardvault::gate {

// Static texts: nothing of a request can get into one.
struct Problem {
  unsigned status;          // RFC 9110 section 15
  std::string_view title;   // what is wrong
  std::string_view detail;  // what to do next
};

// Total: every Code has its entry.
[[nodiscard]] Problem problem_of(base::Code code) noexcept;

// "Not Found"; for the status line. Total over the statuses that a gate sends.
[[nodiscard]] std::string_view reason_phrase(unsigned status) noexcept;

}  // namespace cardvault::gate
