// `audit find`: every event about a token, a card, a customer, a client.
#pragma once

#include <string>
#include <vector>

#include "provisioning/auditor/event_printer.h"
#include "provisioning/auditor/event_query.h"
#include "provisioning/auditor/terminal.h"

namespace cardvault::auditor {

struct FindOptions {
  std::string folder;
  std::vector<std::string> also;        // further folders with files of the log
  std::string key;                      // see PublishedLog::key()
  std::vector<std::string> custodians;  // see trust_custodians()
  EventQuery query;
  std::string since, until;  // as typed; see parse_utc()
  std::string format;        // "table", "json", "csv"; empty: what the terminal says
  std::uint64_t limit = 0;   // 0: all
  std::string index;         // its folder; empty: index/ in the log's
  bool no_index = false;
  unsigned threads = 0;
};

// Prints the events in the log's order and, where a card is looked for by its fingerprint, first
// finds its tokens. Returns the exit code: kVerified as well when there is none. Throws
// StartupError: an option is wrong, or nothing could be read; NotProven.
[[nodiscard]] int find(const FindOptions& options, const Terminal& terminal);

}  // namespace cardvault::auditor
