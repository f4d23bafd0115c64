// Answers as people and programs read them.
#pragma once

#include <ostream>
#include <string>
#include <string_view>

#include "protocol/wire/codec.h"

namespace cardvault::provisioning {

enum class Format { kTable, kJson };

// Columns and rows: aligned text with a head line, or a JSON array of objects (all values strings).
// An answer without columns prints nothing in a table and [] as JSON. On a terminal that is
// narrower than the table its cells are broken between words. Control characters are replaced in
// tables, so that data can't steer a terminal.
void render(std::ostream& out, Format format, const wire::AdminAnswer& answer);

// A JSON string with its quotes (RFC 8259 section 7).
[[nodiscard]] std::string json_string(std::string_view text);

// Text without control characters, for a terminal.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace cardvault::provisioning
