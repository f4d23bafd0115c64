#include "vault/base/log.h"

#include <unistd.h>

#include <string>

namespace cardvault::base {
namespace {

void append_value(std::string& line, std::string_view value) {
  for (const char c : value) {
    line += (c >= 0x20 && c != 0x7f) ? c : '?';  // one happening is one line
  }
}

}  // namespace

void log(Level level, const char* message, std::initializer_list<LogField> fields) {
  std::string line = "<" + std::to_string(static_cast<int>(level)) + ">" + message;
  for (const LogField& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    append_value(line, field.value);
  }
  line += '\n';
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

void log(Level level, const char* message, const Error& error) {
  log(level, message,
      {{"code", code_name(error.code)},
       {"operation", error.operation},
       {"number", std::to_string(error.number)}});
}

}  // namespace cardvault::base
