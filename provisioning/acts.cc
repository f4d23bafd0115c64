#include "provisioning/acts.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "provisioning/certificate.h"
#include "provisioning/config_file.h"
#include "provisioning/key_vault_line.h"
#include "provisioning/progress.h"
#include "vault/daemon/bounds.h"

namespace cardvault::provisioning {
namespace {

constexpr std::size_t kMaxPrefix = 11;  // PCI SSC FAQ 1091 allows 8; ranges reach 11
constexpr std::size_t kChunk = std::size_t{512} * 1024;  // two fit a frame

std::pair<std::string, std::string> name_of(const Context& context, const ClientOptions& options) {
  if (options.enrolled) return {"enrolled", "true"};
  if (!options.san.empty()) return {"san", options.san};
  if (!options.spki.empty()) return {"spki", options.spki};
  const Certificate certificate = read_certificate(options.certificate);
  if (certificate.not_after < std::time(nullptr)) {
    context.err << "cardvault: warning: " << options.certificate
                << " has expired: gates will refuse it until the client renews it\n";
  }
  if (!options.by_san) return {"spki", certificate.spki_sha256};
  if (certificate.sans.size() != 1) {
    throw ToolError(ExitCode::kUsage, options.certificate + " names " +
                                          std::to_string(certificate.sans.size()) +
                                          " DNS or URI names: say which one with --san");
  }
  return {"san", certificate.sans.front()};
}

void add_number(Arguments& arguments, const char* key, std::uint64_t value) {
  if (value != 0) arguments.emplace_back(key, std::to_string(value));
}

// Whether some gate's ceiling allows this client; true as well where the file can't be read here.
bool named_by_a_gate(const std::string& config_path, const std::string& id) {
  try {
    const ConfigFile config = read_config_file(config_path);
    return std::ranges::any_of(config.gates, [&id](const GateEntry& gate) {
      return std::ranges::any_of(gate.clients,
                                 [&id](const std::string& one) { return one == id || one == "*"; });
    });
  } catch (const ToolError&) {
    return true;
  }
}

void print_event(const Context& context, const std::vector<std::string>& row) {
  if (row.size() != 2) return;
  if (context.format == Format::kJson) {
    context.out << row[1] << '\n';
  } else {
    context.out << row[0] << "  " << printable(row[1]) << '\n';
  }
}

}  // namespace

ExitCode add_client(const Context& context, const ClientOptions& options) {
  Arguments arguments{{"id", options.id}, name_of(context, options)};
  arguments.emplace_back("permissions", options.permissions);
  if (!options.purposes.empty()) arguments.emplace_back("purposes", options.purposes);
  add_number(arguments, "rate", options.rate);
  add_number(arguments, "reveals_per_hour", options.reveals_per_hour);
  add_number(arguments, "reveals_per_day", options.reveals_per_day);
  const ExitCode code = act_apart(context, "client.add", std::move(arguments));
  if (code == ExitCode::kDone && !named_by_a_gate(context.config, options.id)) {
    context.err << "cardvault: no gate names it yet: add \"" << options.id
                << "\" to clients of its [[gate]] in " << context.config
                << ", and run `cardvault reload`\n";
  }
  return code;
}

ExitCode change_client(const Context& context, const ClientRights& rights) {
  Arguments arguments{{"id", rights.id}};
  const auto add = [&](const char* key, const auto& value) {
    if (!value) return;
    if constexpr (requires { std::to_string(*value); }) {
      arguments.emplace_back(key, std::to_string(*value));
    } else {
      arguments.emplace_back(key, *value);
    }
  };
  add("permissions", rights.permissions);
  add("purposes", rights.purposes);
  add("rate", rights.rate);
  add("reveals_per_hour", rights.reveals_per_hour);
  add("reveals_per_day", rights.reveals_per_day);
  if (arguments.size() == 1) {
    throw ToolError(ExitCode::kUsage,
                    "nothing to change: give --permissions, --purposes, --rate, "
                    "--reveals-per-hour or --reveals-per-day");
  }
  return act_apart(context, "client.change", std::move(arguments));
}

ExitCode approve_gates(const Context& context) {
  return act_apart(context, "gate.approve", daemon::bounds_of(daemon::read_config(context.config)));
}

ExitCode import_bins(const Context& context, const std::string& path) {
  if (!std::filesystem::is_regular_file(path)) {
    throw ToolError(ExitCode::kLocal, path + ": there is no such file");
  }
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw ToolError(ExitCode::kLocal, path + ": cannot be read");
  const auto total = static_cast<std::uint64_t>(file.tellg());
  file.seekg(0);
  const auto backend = context.open(context);
  auto answer = ask(context, *backend, "bin.import", {{"part", "begin"}});
  if (!answer.ok) return conclude(context, answer);
  Progress progress(context.err, context.err_is_terminal, "bin import");
  for (std::uint64_t done = 0; done < total;) {
    base::SecretBuffer chunk(std::min<std::uint64_t>(kChunk, total - done));
    file.read(reinterpret_cast<char*>(chunk.data()), static_cast<std::streamsize>(chunk.size()));
    if (!file) throw ToolError(ExitCode::kLocal, path + ": cannot be read to its end");
    done += chunk.size();
    answer = ask(context, *backend, "bin.import", {{"part", "data"}}, std::move(chunk));
    if (!answer.ok) return conclude(context, answer);
    progress.show(done, total);
  }
  return conclude(context, ask(context, *backend, "bin.import", {{"part", "commit"}}));
}

ExitCode look_up_bin(const Context& context, const std::string& digits) {
  if (!digits.empty()) {
    if (digits.size() > kMaxPrefix) {
      throw ToolError(
          ExitCode::kUsage,
          "a card number must not stand on a command line, where every account of this "
          "machine and the shell's history can read it: give at most 11 leading digits, "
          "or the number as a line of stdin with --stdin");
    }
    return act(context, "bin.lookup", {{"digits", digits}});
  }
  const base::SecretText line = read_line(context, "card number");
  // A range is found by its leading digits: the rest need not leave this process.
  std::string leading;
  for (const char c : line.expose()) {
    if (c >= '0' && c <= '9' && leading.size() < kMaxPrefix) leading += c;
  }
  return act(context, "bin.lookup", {{"digits", leading}});
}

ExitCode act_on_customer(const Context& context, const char* verb) {
  const base::SecretText line = read_line(context, "customer's identifier");
  return act(context, verb, {{"customer", std::string(line.expose())}});
}

ExitCode print_jwks(const Context& context) {
  auto answer = ask(context, *context.open(context), "jwks", {});
  if (!answer.ok || answer.rows.size() != 1 || answer.rows[0].empty()) {
    return conclude(context, answer);
  }
  context.out << answer.rows[0][0] << '\n';
  return ExitCode::kDone;
}

ExitCode tail_audit(const Context& context, const TailOptions& options) {
  Arguments arguments{{"limit", std::to_string(options.limit)}};
  if (options.from) arguments.emplace_back("from", std::to_string(*options.from));
  if (options.follow) arguments.emplace_back("follow", "true");
  wire::AdminRequest request;
  request.verb = "audit.tail";
  request.operator_name = context.operator_name;
  request.arguments = std::move(arguments);
  const auto print = [&context](const wire::AdminAnswer& answer) {
    for (const auto& row : answer.rows) print_event(context, row);
    context.out.flush();
    if (context.out) return;
    throw ToolError(ExitCode::kLocal, "events can't be written on stdout: nobody reads them");
  };
  auto answer = context.open(context)->run(std::move(request), print);
  if (answer.ok) print(answer);
  answer.columns.clear();
  answer.rows.clear();
  if (answer.ok && answer.message.empty()) return ExitCode::kDone;
  context.err << "cardvault: " << printable(answer.message) << '\n';
  return answer.ok ? ExitCode::kDone : ExitCode::kRefused;
}

}  // namespace cardvault::provisioning
