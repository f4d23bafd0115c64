#include "provisioning/auditor/event_query.h"

#include <algorithm>
#include <array>

#include "provisioning/auditor/event_names.h"
#include "provisioning/auditor/published_log.h"
#include "vault/base/result.h"
#include "vault/core/text_form.h"

namespace cardvault::auditor {
namespace {

constexpr std::string_view kOk = "ok";
constexpr std::string_view kRefused = "refused";
constexpr std::size_t kIdDigits = 32;

std::string term(char kind, std::string_view value) { return std::string(1, kind).append(value); }

// "key.*" is kept as "key.", which ends like no operation.
std::string operation_term(std::string_view operation) {
  if (operation.ends_with(".*")) operation.remove_suffix(1);
  return term('o', operation);
}

std::string outcome_term(std::string_view outcome) {
  return outcome == kRefused ? term('r', "") : term('r', outcome);
}

bool is_hex_id(std::string_view text) {
  std::array<std::uint8_t, kIdDigits / 2> bytes{};
  return core::from_hex(text, bytes).has_value();
}

bool is_fingerprint(std::string_view text) {
  const auto colon = text.find(':');
  return colon != 0 && colon != std::string_view::npos &&
         std::ranges::all_of(text.substr(0, colon), [](char c) { return c >= '0' && c <= '9'; }) &&
         is_hex_id(text.substr(colon + 1));
}

bool one_of(const std::vector<std::string>& wanted, std::string_view value) {
  return wanted.empty() || std::ranges::find(wanted, value) != wanted.end();
}

bool operation_fits(const std::string& wanted, const std::string& operation) {
  return wanted.ends_with(".*")
             ? operation.starts_with(std::string_view(wanted).substr(0, wanted.size() - 1))
             : operation == wanted;
}

bool outcome_fits(const std::string& wanted, const std::string& outcome) {
  return wanted == kRefused ? outcome != kOk : outcome == wanted;
}

}  // namespace

bool EventQuery::matches(const core::Event& event) const {
  const auto client_fits = [&](const std::string& client) {
    return event.actor == "client:" + client || event.resource == client;
  };
  return event.time_ms >= since_ms && event.time_ms < until_ms && one_of(tokens, event.resource) &&
         one_of(customers, event.customer) && one_of(actors, event.actor) &&
         (one_of(fingerprints, event.fingerprint) ||
          std::ranges::find(card_tokens, event.resource) != card_tokens.end()) &&
         (clients.empty() || std::ranges::any_of(clients, client_fits)) &&
         (operations.empty() ||
          std::ranges::any_of(
              operations, [&](const auto& one) { return operation_fits(one, event.operation); })) &&
         (outcomes.empty() ||
          std::ranges::any_of(
              outcomes, [&](const auto& one) { return outcome_fits(one, event.outcome); }));
}

std::vector<std::vector<std::string>> EventQuery::terms() const {
  std::vector<std::vector<std::string>> all(7);
  for (const std::string& one : tokens) all[0].push_back(term('t', one));
  for (const std::string& one : customers) all[1].push_back(term('c', one));
  for (const std::string& one : fingerprints) all[2].push_back(term('f', one));
  for (const std::string& one : card_tokens) all[2].push_back(term('t', one));
  for (const std::string& one : actors) all[6].push_back(term('a', one));
  for (const std::string& one : clients) {
    all[3].push_back(term('a', "client:" + one));
    all[3].push_back(term('t', one));
  }
  for (const std::string& one : operations) all[4].push_back(operation_term(one));
  for (const std::string& one : outcomes) all[5].push_back(outcome_term(one));
  std::erase_if(all, [](const auto& list) { return list.empty(); });
  return all;
}

void EventQuery::check() const {
  for (const std::string& one : customers) {
    if (!is_hex_id(one)) {
      throw base::StartupError(
          "--customer takes the internal id that stands in events, 32 hex digits; where the vault "
          "is, `cardvault audit find --customer-stdin` reads a customer's identifier");
    }
  }
  for (const std::string& one : fingerprints) {
    if (!is_fingerprint(one)) {
      throw base::StartupError(
          "--fingerprint takes VERSION:DIGITS, as `cardvault audit pan-fingerprint` prints them");
    }
  }
  for (const std::string& one : operations) {
    if (is_operation(one)) continue;
    throw base::StartupError(
        "no event is of the operation '" + printable(one) +
        "'. Operations, or all that begin alike as key.*: " + auditor::operations());
  }
  for (const std::string& one : outcomes) {
    if (is_outcome(one)) continue;
    throw base::StartupError("no event ends with '" + printable(one) +
                             "'. Outcomes, where refused is all but ok: " + auditor::outcomes());
  }
}

void each_term(const core::Event& event, const std::function<void(std::string_view)>& each) {
  if (!event.resource.empty()) each(term('t', event.resource));
  if (!event.customer.empty()) each(term('c', event.customer));
  if (!event.fingerprint.empty()) each(term('f', event.fingerprint));
  if (!event.actor.empty()) each(term('a', event.actor));
  each(term('o', event.operation));
  for (auto dot = event.operation.find('.'); dot != std::string::npos;
       dot = event.operation.find('.', dot + 1)) {
    each(term('o', std::string_view(event.operation).substr(0, dot + 1)));
  }
  each(term('r', event.outcome));
  if (event.outcome != kOk) each(term('r', ""));
}

}  // namespace cardvault::auditor
