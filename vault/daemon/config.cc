#include "vault/daemon/config.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>

#include "vault/audit/verifier_key.h"
#include "vault/base/readable.h"
#include "vault/daemon/admin_approvals.h"
#include "vault/daemon/config_codes.h"
#include "vault/daemon/config_hsm.h"
#include "vault/daemon/config_keys.h"
#include "vault/daemon/config_section.h"
#include "vault/daemon/config_unseal.h"

namespace cardvault::daemon {
namespace {

using base::StartupError;

constexpr std::uint32_t kMostMiB = 1 << 30;
constexpr std::int64_t kDayMs = 86'400'000;

void apply_override(toml::table& root, const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw StartupError("override '" + text + "': write section.key=value");
  }
  std::string value = text.substr(equals + 1);
  toml::table parsed;
  try {
    parsed = toml::parse("v = " + value);
  } catch (const toml::parse_error&) {
    parsed.insert_or_assign("v", value);
  }
  toml::table* at = &root;
  std::istringstream keys(text.substr(0, equals));
  std::string key;
  std::string next;
  std::getline(keys, key, '.');
  while (std::getline(keys, next, '.')) {
    if (at->get(key) == nullptr) at->insert(key, toml::table{});
    at = at->get(key)->as_table();
    if (at == nullptr) throw StartupError("override '" + text + "': " + key + " is not a section");
    key = next;
  }
  at->insert_or_assign(key, *parsed.get("v"));
}

void read_policy(const toml::table& root, const std::string& path, core::Settings& settings) {
  Section policy(sub_table(root, "policy", path), "policy", path);
  settings.tokenize.countries = policy.texts("countries", settings.tokenize.countries);
  settings.tokenize.currencies = policy.texts("currencies", settings.tokenize.currencies);
  settings.cards_per_customer = policy.number("cards_per_customer", 10, 10'000);
  settings.pan_budget_day = policy.number("pan_budget_day", 10, 1'000'000);
  settings.pan_budget_month = policy.number("pan_budget_month", 30, 10'000'000);
  settings.bin_digits_stored = policy.number("bin_digits_stored", 6, 8);
  if (settings.bin_digits_stored != 0 && settings.bin_digits_stored != 6 &&
      settings.bin_digits_stored != 8) {
    policy.refuse("bin_digits_stored", policy.find("bin_digits_stored"), "must be 0, 6 or 8");
  }
  settings.confirm_sealed = policy.flag("confirm_sealed", settings.confirm_sealed);
  const toml::node* purposes = policy.find("purpose");
  policy.refuse_unknown();
  if (purposes == nullptr) return;
  if (!purposes->is_table()) policy.refuse("purpose", purposes, "must be sections");
  settings.purposes.clear();
  for (const auto& [name, node] : *purposes->as_table()) {
    const std::string section = "policy.purpose." + std::string(name.str());
    Section purpose(node.as_table(), section, path);
    core::CardPolicy& card = settings.purposes[std::string(name.str())];
    card.countries = purpose.texts("countries", {});
    card.currencies = purpose.texts("currencies", {});
    card.confirm = purpose.flag("confirm", settings.confirm_sealed);
    purpose.refuse_unknown();
  }
}

GateConfig read_gate(const toml::node& node, const std::string& path) {
  Section gate(node.as_table(), "[gate]", path);
  GateConfig out;
  out.ceiling.gate = gate.text("name", "", true);
  out.socket = gate.text("socket", "", true);
  const toml::node* uid = gate.find("uid");
  if (uid != nullptr) out.uid = gate.number("uid", 0, UINT32_MAX);
  out.ceiling.clients = gate.texts("clients", {"*"});
  const auto permissions = core::Permissions::parse(gate.texts("permissions", {}));
  if (!permissions) {
    gate.refuse("permissions", gate.find("permissions"), "names an unknown permission");
  }
  out.ceiling.permissions = *permissions;
  gate.refuse_unknown();
  return out;
}

void read_lists(const toml::table& root, const std::string& path, Config& config) {
  if (const toml::node* gates = root.get("gate"); gates != nullptr) {
    if (!gates->is_array_of_tables()) throw StartupError(path + ": write gates as [[gate]]");
    for (const toml::node& gate : *gates->as_array()) {
      config.gates.push_back(read_gate(gate, path));
    }
  }
  Section admin(sub_table(root, "admin", path), "admin", path);
  if (const toml::node* list = admin.find("operators"); list != nullptr) {
    if (!list->is_array()) admin.refuse("operators", list, "must be a list of {uid, name}");
    for (const toml::node& node : *list->as_array()) {
      Section one(node.as_table(), "admin.operators", path);
      config.operators.push_back({one.number("uid", 0, UINT32_MAX), one.text("name", "", true)});
      one.refuse_unknown();
    }
  }
  config.two_operators = admin.texts("two_operators", {"client.release"});
  for (const std::string& verb : config.two_operators) {
    const auto known = approvable_verbs();
    if (std::ranges::find(known, verb) != known.end()) continue;
    std::string names;
    for (const std::string_view name : known)
      names += (names.empty() ? "" : ", ") + std::string(name);
    admin.refuse("two_operators", admin.find("two_operators"), "may name: " + names);
  }
  admin.refuse_unknown();
}

AuditConfig read_audit(const toml::table& root, const std::string& path,
                       const std::string& data_dir) {
  Section audit(sub_table(root, "audit", path), "audit", path);
  AuditConfig config;
  const auto beside = std::filesystem::path(data_dir).lexically_normal() / "..";
  config.dir = audit.text("dir", (beside.lexically_normal() / "audit").string());
  config.origin = audit.text("origin", "");
  if (!config.origin.empty() && !audit::valid_key_name(config.origin)) {
    audit.refuse("origin", audit.find("origin"), "has no spaces and no '+', such as bank.kz/vault");
  }
  config.anchor = audit.text("anchor", "");
  config.closed = audit.texts("closed", {});
  config.syslog = audit.text("syslog", "");
  constexpr std::size_t kLongestSocketPath = 107;  // unix(7)
  if (!config.syslog.empty() &&
      (!config.syslog.starts_with('/') || config.syslog.size() > kLongestSocketPath)) {
    audit.refuse("syslog", audit.find("syslog"), "is the path of a socket, such as /dev/log");
  }
  // Without a number of the bank's own, the one that is reserved for examples (RFC 5612).
  config.syslog_enterprise = audit.number("syslog_enterprise", 32473, UINT32_MAX, 1);
  audit.refuse_unknown();
  return config;
}

SandboxConfig read_sandbox(const toml::table& root, const std::string& path) {
  Section sandbox(sub_table(root, "sandbox", path), "sandbox", path);
  SandboxConfig config;
  config.read = sandbox.texts("read", {});
  config.system_calls = sandbox.texts("system_calls", {});
  config.hsm_port = static_cast<std::uint16_t>(sandbox.number("hsm_port", 0, 65535));
  sandbox.refuse_unknown();
  return config;
}

ClientsConfig read_clients(const toml::table& root, const std::string& path,
                           const std::string& admin_socket) {
  Section clients(sub_table(root, "clients", path), "clients", path);
  ClientsConfig config;
  const auto beside = std::filesystem::path(admin_socket).parent_path() / "client-ca.pem";
  config.ca_file = clients.text("ca_file", beside.string());
  config.certificate_days = clients.number("certificate_days", 30, 398, 1);
  config.ca_days = clients.number("ca_days", 1825, 3650, 30);
  clients.refuse_unknown();
  return config;
}

DiskConfig read_disk(const toml::table& root, const std::string& path) {
  Section disk(sub_table(root, "disk", path), "disk", path);
  DiskConfig config;
  config.warn_mib = disk.number("warn_mib", config.warn_mib, kMostMiB);
  config.refuse_reveals_mib =
      disk.number("refuse_reveals_mib", config.refuse_reveals_mib, kMostMiB);
  config.refuse_writes_mib = disk.number("refuse_writes_mib", config.refuse_writes_mib, kMostMiB);
  disk.refuse_unknown();
  return config;
}

// Sealed reveals that want a confirmed payment need codes that confirm one.
void require_confirming_code(const core::Settings& settings, const std::string& path) {
  const bool wanted =
      settings.confirm_sealed || std::ranges::any_of(settings.purposes, [](const auto& purpose) {
        return purpose.second.confirm.value_or(false);
      });
  const auto code = settings.otp.purposes.find(core::kConfirmingPurpose);
  if (!wanted || (code != settings.otp.purposes.end() && code->second.context)) return;
  throw StartupError(path + ": [policy] confirm_sealed needs [otp.purpose." +
                     std::string(core::kConfirmingPurpose) + "] with context = true");
}

// All in one, for who looks for something in any of them.
std::string uris_of(const Config& config) {
  std::string uris = config.hsm.token_uri;
  for (const hsm::TokenConfig& one : config.standbys) uris += " " + one.token_uri;
  return uris;
}

Config from_table(const toml::table& root, const std::string& path) {
  static const std::set<std::string_view> kSections = {
      "vault", "hsm",   "policy", "limits", "reveal",  "otp",     "attempts", "secrets", "clock",
      "gate",  "admin", "audit",  "keys",   "sandbox", "clients", "disk",     "unseal"};
  for (const auto& [key, node] : root) {
    if (!kSections.contains(key.str())) {
      throw StartupError(path + ": [" + std::string(key.str()) + "] is not a known section");
    }
  }
  Config config;
  config.path = path;
  Section vault(sub_table(root, "vault", path), "vault", path);
  config.data_dir = vault.text("data_dir", "", true);
  config.admin_socket = vault.text("admin_socket", "", true);
  config.settings.issuer = vault.text("issuer", config.settings.issuer);
  vault.refuse_unknown();

  config.standbys = read_hsm(root, path);
  config.hsm = std::move(config.standbys.front());
  config.standbys.erase(config.standbys.begin());

  read_policy(root, path, config.settings);
  Section limits(sub_table(root, "limits", path), "limits", path);
  config.settings.rate_per_s = limits.number("rate_per_s", 2000, 10'000'000);
  config.settings.numeric_misses_per_minute =
      limits.number("numeric_misses_per_minute", 30, 100'000);
  config.queue = std::max(1U, limits.number("queue", 4096, 1'000'000));
  config.workers = limits.number("workers", 0, 256);
  limits.refuse_unknown();

  Section reveal(sub_table(root, "reveal", path), "reveal", path);
  config.settings.reveal.client_per_hour = reveal.number("client_per_hour", 1000, 1'000'000'000);
  config.settings.reveal.client_per_day = reveal.number("client_per_day", 5000, 1'000'000'000);
  config.settings.reveal.card_per_day = reveal.number("card_per_day", 20, 1'000'000'000);
  reveal.refuse_unknown();
  read_codes(root, path, config.settings);
  read_attempts(root, path, config.settings);
  config.slow_workers = read_secrets(root, path, config.settings);
  require_confirming_code(config.settings, path);

  Section clock(sub_table(root, "clock", path), "clock", path);
  config.max_offline_ms = clock.number("max_offline_days", 30, 3650) * kDayMs;
  config.keys = read_keys(root, path);
  clock.refuse_unknown();
  config.sandbox = read_sandbox(root, path);
  config.unseal = read_unseal(root, path, config.data_dir, uris_of(config));
  config.audit = read_audit(root, path, config.data_dir);
  config.clients = read_clients(root, path, config.admin_socket);
  config.disk = read_disk(root, path);
  read_lists(root, path, config);
  return config;
}

}  // namespace

Config read_config(const std::string& path, const std::vector<std::string>& overrides) {
  base::demand_readable(
      path, "name the configuration with --config, or make a vault with `cardvault init`");
  toml::table root;
  try {
    root = toml::parse_file(path);
  } catch (const toml::parse_error& error) {
    std::ostringstream text;
    text << path << ":" << error.source().begin.line << ": " << error.description();
    throw StartupError(text.str());
  }
  for (const std::string& text : overrides) apply_override(root, text);
  return from_table(root, path);
}

}  // namespace cardvault::daemon
