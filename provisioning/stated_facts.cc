#include "provisioning/stated_facts.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <thread>

#include "provisioning/auditor/custodians_word.h"
#include "provisioning/auditor/published_log.h"
#include "provisioning/time_text.h"
#include "vault/audit/proven_log.h"

namespace cardvault::provisioning {
namespace {

// Columns are found by their names: a newer vault may have more.
class Rows {
 public:
  explicit Rows(const wire::AdminAnswer& answer) : answer_(answer) {}
  [[nodiscard]] std::string text(const std::vector<std::string>& row, const char* column) const {
    const auto at = std::ranges::find(answer_.columns, column) - answer_.columns.begin();
    return static_cast<std::size_t>(at) < row.size() ? row[static_cast<std::size_t>(at)] : "";
  }
  // Of "2026-11-22T06:30:00.123Z"; 0: there is none.
  [[nodiscard]] std::int64_t time(const std::vector<std::string>& row, const char* column) const {
    constexpr std::size_t kToSeconds = 19;
    const std::string stated = text(row, column);
    return stated.size() < kToSeconds ? 0 : parse_time(stated.substr(0, kToSeconds) + "Z");
  }
  [[nodiscard]] std::uint64_t number(const std::vector<std::string>& row,
                                     const char* column) const {
    const std::string digits = text(row, column);
    std::uint64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
  }

 private:
  const wire::AdminAnswer& answer_;
};

}  // namespace

auditor::Terminal terminal_of(const Context& context) {
  return {context.out, context.err, context.err_is_terminal, context.format == Format::kJson};
}

wire::AdminAnswer stated(const Context& context, Backend& backend, const std::string& verb) {
  auto answer = ask(context, backend, verb, {});
  if (!answer.ok) throw ToolError(ExitCode::kRefused, verb + ": " + printable(answer.message));
  return answer;
}

wire::AdminAnswer name_log(const Context& context, Backend& backend, const std::string& verb,
                           auditor::ReportOptions& options) {
  auto answer = ask(context, backend, verb, {});
  const bool own_log = options.folder.empty();
  std::uint64_t events = 0;
  for (const auto& row : answer.rows) {
    if (row.size() != 2) continue;
    const std::string& value = row[1];
    if (row[0] == "log" && own_log) options.folder = value;
    if (row[0] == "closed" && own_log) options.also.push_back(value);
    if (row[0] == "key" && options.key.empty()) options.key = value;
    if (row[0] == "events") std::from_chars(value.data(), value.data() + value.size(), events);
  }
  if (answer.ok && options.folder.empty()) {
    throw ToolError(ExitCode::kLocal, "the vault publishes no log: name its folder");
  }
  if (answer.ok && own_log) {
    await_publication(terminal_of(context), options.folder, options.also, options.key,
                      options.custodians, events);
  }
  return answer;
}

void await_publication(const auditor::Terminal& terminal, const std::string& folder,
                       const std::vector<std::string>& also, const std::string& key,
                       const std::vector<std::string>& custodians, std::uint64_t events) {
  constexpr auto kPublishing = std::chrono::seconds(5);
  constexpr auto kPause = std::chrono::milliseconds(50);
  const auditor::PublishedLog log(folder, also);
  const auto verifier = log.key(key);
  const auto end = std::chrono::steady_clock::now() + kPublishing;
  const auto published = [&]() -> std::uint64_t {
    try {
      return log.checkpoint(verifier, auditor::trust_custodians(custodians)).size;
    } catch (const audit::NotProven&) {
      return 0;  // still by the key before: the next one is by this key, if the log is sound
    }
  };
  std::uint64_t size = published();
  while (size < events && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(kPause);
    size = published();
  }
  if (size < events) {
    terminal.err << "cardvault: the newest " << events - size
                 << " events are not published yet, and not among these\n";
  }
}

auditor::VaultState state_of(const Context& context, Backend& backend) {
  auditor::VaultState state;
  state.time_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                      std::chrono::system_clock::now().time_since_epoch())
                      .count();
  const auto keys = stated(context, backend, "key.list");
  const Rows of_keys(keys);
  for (const auto& row : keys.rows) {
    state.keys.push_back({of_keys.text(row, "key"), of_keys.text(row, "state"),
                          of_keys.text(row, "kcv"), of_keys.time(row, "created"),
                          of_keys.time(row, "period ends")});
  }
  const auto clients = stated(context, backend, "client.list");
  const Rows of_clients(clients);
  for (const auto& row : clients.rows) {
    state.clients.push_back({of_clients.text(row, "client"), of_clients.text(row, "state"),
                             of_clients.text(row, "permissions"), of_clients.text(row, "purposes"),
                             of_clients.time(row, "created"),
                             of_clients.number(row, "reveals per hour"),
                             of_clients.number(row, "reveals per day")});
  }
  return state;
}

}  // namespace cardvault::provisioning
