// Which events somebody looks for.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "vault/core/event.h"

namespace cardvault::auditor {

// An event is looked for when it fits every list that is not empty, each by one of its members, and
// lies between the times.
struct EventQuery {
  std::vector<std::string> tokens;
  std::vector<std::string> customers;  // internal ids
  std::vector<std::string> clients;    // what they did, and what was done about them
  std::vector<std::string> actors;     // "operator:alice", "system"
  // Of a card: its fingerprints "1:…", and the tokens that stand with them; either will do.
  std::vector<std::string> fingerprints;
  std::vector<std::string> card_tokens;
  std::vector<std::string> operations;  // "tokenize", "key.*"
  std::vector<std::string> outcomes;    // "ok", "refused" for all others, or a code
  std::int64_t since_ms = 0;
  std::int64_t until_ms = INT64_MAX;  // before it

  [[nodiscard]] bool matches(const core::Event& event) const;
  // For each list that is not empty, the terms by which an index finds what it may fit.
  [[nodiscard]] std::vector<std::vector<std::string>> terms() const;
  // Throws StartupError: a fingerprint, customer, operation or outcome that no event can have.
  void check() const;
};

// Every term that an event is found by.
void each_term(const core::Event& event, const std::function<void(std::string_view)>& each);
// Stands for a record that is no event, in an index: it is never left out.
inline constexpr std::string_view kMalformedTerm = "malformed";

}  // namespace cardvault::auditor
