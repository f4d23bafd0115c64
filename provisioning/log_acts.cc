#include "provisioning/log_acts.h"

#include <algorithm>
#include <charconv>

#include "provisioning/auditor/audit_options.h"
#include "provisioning/stated_facts.h"

namespace cardvault::provisioning {
namespace {

base::SecretBuffer read_pan(const Context& context) {
  const base::SecretText line = read_line(context, "card number");
  const auto bytes = base::as_bytes(line.expose());
  return {bytes.begin(), bytes.end()};
}

void warn_of_missing(const Context& context, const std::string& key) {
  context.err << "cardvault: " << key
              << " was destroyed: events that name the card by it alone can't be found by its "
                 "number, but by --token or --customer\n";
}

// Takes what the vault says into the question.
std::uint64_t take_names(const Context& context, const wire::AdminAnswer& answer,
                         auditor::FindOptions& find) {
  std::uint64_t events = 0;
  const bool own_log = find.folder.empty();
  for (const auto& row : answer.rows) {
    if (row.size() != 2) continue;
    const std::string& value = row[1];
    if (row[0] == "closed" && own_log) find.also.push_back(value);
    if (row[0] == "fingerprint") find.query.fingerprints.push_back(value);
    if (row[0] == "customer") find.query.customers.push_back(value);
    if (row[0] == "missing") warn_of_missing(context, value);
    if (row[0] == "log" && find.folder.empty()) find.folder = value;
    if (row[0] == "key" && find.key.empty()) find.key = value;
    if (row[0] == "events") std::from_chars(value.data(), value.data() + value.size(), events);
  }
  return events;
}

}  // namespace

ExitCode find_events(const Context& context, FindInVault options) {
  auditor::FindOptions& find = options.find;
  std::uint64_t events = 0;
  const bool own_log = find.folder.empty();
  if (own_log || find.key.empty() || options.pan_on_stdin || options.customer_on_stdin) {
    base::SecretBuffer pan;
    if (options.pan_on_stdin) pan = read_pan(context);
    Arguments arguments;
    if (options.customer_on_stdin) {
      arguments.emplace_back("customer", read_line(context, "customer's identifier").expose());
    }
    const auto backend = context.open(context);
    const auto answer = ask(context, *backend, "audit.find", std::move(arguments), std::move(pan));
    if (!answer.ok) return conclude(context, answer);
    events = take_names(context, answer, find);
    if (options.pan_on_stdin && find.query.fingerprints.empty()) {
      throw ToolError(ExitCode::kRefused, "no version of pan-index is left to find a number by");
    }
  }
  if (find.folder.empty()) {
    throw ToolError(ExitCode::kLocal, "the vault publishes no log: name its folder");
  }
  const auto look = [&](const auditor::Terminal& terminal) {
    if (own_log)
      await_publication(terminal, find.folder, find.also, find.key, find.custodians, events);
    return auditor::find(find, terminal);
  };
  return static_cast<ExitCode>(auditor::guarded(look)(terminal_of(context)));
}

ExitCode report_log(const Context& context, auditor::ReportOptions options, bool ask_vault) {
  if (options.folder.empty() || options.key.empty() || ask_vault) {
    const auto backend = context.open(context);
    const auto answer = name_log(context, *backend, "audit.report", options);
    if (!answer.ok) return conclude(context, answer);
    if (ask_vault) options.vault = state_of(context, *backend);
  }
  return static_cast<ExitCode>(auditor::guarded([&](const auditor::Terminal& terminal) {
    return auditor::report(options, terminal);
  })(terminal_of(context)));
}

ExitCode print_fingerprints(const Context& context) {
  const auto backend = context.open(context);
  auto answer = ask(context, *backend, "audit.fingerprint", {}, read_pan(context));
  if (!answer.ok) return conclude(context, answer);
  std::erase_if(answer.rows, [&](const auto& row) {
    if (row[0] != "missing") return false;
    warn_of_missing(context, row[1]);
    return true;
  });
  return conclude(context, answer);
}

}  // namespace cardvault::provisioning
