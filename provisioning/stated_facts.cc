#include "provisioning/stated_facts.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "provisioning/time_text.h"

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
  for (const auto& row : answer.rows) {
    if (row.size() != 2) continue;
    if (row[0] == "log" && options.folder.empty()) options.folder = row[1];
    if (row[0] == "key" && options.key.empty()) options.key = row[1];
  }
  if (answer.ok && options.folder.empty()) {
    throw ToolError(ExitCode::kLocal, "the vault publishes no log: name its folder");
  }
  return answer;
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
