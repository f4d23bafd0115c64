// An event as one line of JSON: what the log's leaves hold, what auditors read.
//
// {"seq":7,"time":"2026-11-22T06:30:00.123Z","actor":"client:web","op":"tokenize","outcome":"ok",
//  "source":…,"gate":…,"resource":…,"request":"00000000000004d2","purpose":…,"pan_fp":…,
//  "customer":…,"key_version":1,"details":{…}}
//
// One spelling per event: this order, no spaces, empty fields left out, pure ASCII. Anything
// outside printable ASCII is escaped as \uXXXX in lower-case hex, so that a line is safe on a
// terminal; bytes that are not UTF-8 become \ufffd. `request` is text because JSON readers round
// 64-bit numbers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "vault/base/result.h"
#include "vault/core/event.h"

namespace cardvault::audit {

// Appends the line, without a newline. `seq` is the event's number in the log, its leaf index (RFC
// 6962), counted from 0. Times outside the years 1970..9999 are clamped. Thread-safe; about 0.5 µs.
void append_event(std::string& out, std::uint64_t seq, const core::Event& event);

// Reads exactly what append_event() makes: any line that it would spell otherwise is kRecordDamaged
// (Error::number: the offset of the trouble). `seq` may be null. Thread-safe.
[[nodiscard]] base::Result<core::Event> parse_event(std::string_view line, std::uint64_t* seq);

// The same without making the event: what verifying a long log takes of a line.
struct EventHead {
  std::uint64_t seq = 0;
  std::int64_t time_ms = 0;
};
[[nodiscard]] base::Result<EventHead> check_event(std::string_view line);

}  // namespace cardvault::audit
