// Events as people, programs and spreadsheets read them.
#pragma once

#include <cstdint>
#include <ostream>
#include <string_view>

#include "vault/core/event.h"

namespace cardvault::auditor {

enum class EventFormat : std::uint8_t { kTable, kJson, kCsv };

// kJson: each event's line as it stands in the log. kCsv: RFC 4180, with a head line; a value that
// a spreadsheet would take for a formula begins with an apostrophe. One thread.
class EventPrinter {
 public:
  EventPrinter(std::ostream& out, EventFormat format) : out_(out), format_(format) {}

  void print(std::uint64_t record, std::string_view line, const core::Event& event);
  // When there were none: CSV has its head line all the same.
  void finish();

 private:
  void head();

  std::ostream& out_;
  EventFormat format_;
  bool headed_ = false;
};

}  // namespace cardvault::auditor
