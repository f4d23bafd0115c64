// The operators' log: one line per happening on stderr with a syslog priority prefix, which
// journald reads (sd-daemon(3)). Arguments are literals and numbers by construction: no request
// data, PAN, code, PIN or key can be passed.
#pragma once

#include <initializer_list>
#include <string_view>

#include "vault/base/result.h"

namespace cardvault::base {

enum class Level { kError = 3, kWarning = 4, kNotice = 5, kInfo = 6 };

struct LogField {
  const char* key;
  // A name from configuration (gate, client id, file) or a number already formatted; never input.
  std::string_view value;
};

// Thread-safe; one write(2) per line; never blocks on anything but stderr.
void log(Level level, const char* message, std::initializer_list<LogField> fields = {});
void log(Level level, const char* message, const Error& error);

}  // namespace cardvault::base
