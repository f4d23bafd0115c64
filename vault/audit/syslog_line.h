// Events as syslog messages, for a SIEM (RFC 5424).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "vault/core/event.h"

namespace cardvault::audit {

struct SyslogSender {
  std::string host;              // HOSTNAME; what it can't hold is replaced
  std::uint32_t process = 0;     // PROCID
  std::uint32_t enterprise = 0;  // of the SD-IDs event@N and details@N (RFC 5424 section 7.2.2)
};

inline constexpr std::size_t kMaxSyslogLine = 8192;  // bytes: what receivers take at least

// One message, without a newline: facility 13 (log audit); severity 2 for alarms, 5 for refusals, 6
// for what went well; MSGID is the operation; all fields as structured data, a short text for
// people behind. Printable ASCII and UTF-8 only. What would be longer than kMaxSyslogLine is sent
// without its details, and says so. Thread-safe.
[[nodiscard]] std::string syslog_line(std::uint64_t seq, const core::Event& event,
                                      const SyslogSender& sender);

}  // namespace cardvault::audit
