#include "vault/daemon/bounds.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <sstream>

#include "vault/custody/lines.h"
#include "vault/daemon/name_list.h"
#include "vault/daemon/quorum_word.h"
#include "vault/daemon/stored_state.h"

namespace cardvault::daemon {
namespace {

constexpr std::string_view kGate = "gate.";

std::string sorted(std::vector<std::string> names) {
  std::ranges::sort(names);
  return join_names(names);
}

std::string value_of(const ActArguments& all, std::string_view name) {
  const auto found = std::ranges::find(all, name, &ActArguments::value_type::first);
  return found == all.end() ? std::string() : found->second;
}

// 0 is no limit, and what can't be read is none that was approved.
std::uint64_t limit_of(const std::string& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return 0;
  return value == 0 ? UINT64_MAX : value;
}

std::string more_of(const std::string& approved, const std::string& wanted) {
  const auto had = split_names(approved);
  std::string out;
  for (const std::string& one : split_names(wanted)) {
    const bool any = std::ranges::find(had, "*") != had.end();
    if (any || std::ranges::find(had, one) != had.end()) continue;
    out += (out.empty() ? "" : ", ") + one;
  }
  return out;
}

void compare_gate(const std::string& name, const std::string& approved, const std::string& wanted,
                  std::vector<std::string>& out) {
  const auto had = custody::parse_fields(approved).value_or(custody::Fields{});
  const auto wants = custody::parse_fields(wanted).value_or(custody::Fields{});
  const std::string gate = "gate \"" + name.substr(kGate.size()) + "\" ";
  if (approved.empty()) {
    out.push_back(gate + "is new: " + wanted);
    return;
  }
  for (const char* key : {"socket", "uid"}) {
    if (custody::field(had, key) == custody::field(wants, key)) continue;
    out.push_back(gate + "would have " + key + " " + custody::field(wants, key) + " instead of " +
                  custody::field(had, key));
  }
  for (const char* key : {"clients", "permissions"}) {
    const std::string more = more_of(custody::field(had, key), custody::field(wants, key));
    if (!more.empty()) out.push_back(gate + "would have more " + key + ": " + more);
  }
}

}  // namespace

ActArguments bounds_of(const Config& config) {
  ActArguments out;
  for (const GateConfig& gate : config.gates) {
    out.emplace_back(
        std::string(kGate) + gate.ceiling.gate,
        custody::format_fields({{"clients", sorted(gate.ceiling.clients)},
                                {"permissions", sorted(gate.ceiling.permissions.names())},
                                {"socket", gate.socket},
                                {"uid", gate.uid < 0 ? "any" : std::to_string(gate.uid)}}));
  }
  const core::Settings& settings = config.settings;
  out.emplace_back("limits.rate_per_s", std::to_string(settings.rate_per_s));
  out.emplace_back("reveal.card_per_day", std::to_string(settings.reveal.card_per_day));
  out.emplace_back("reveal.client_per_day", std::to_string(settings.reveal.client_per_day));
  out.emplace_back("reveal.client_per_hour", std::to_string(settings.reveal.client_per_hour));
  std::ranges::sort(out);
  return out;
}

std::vector<std::string> beyond(const ActArguments& approved, const ActArguments& wanted) {
  std::vector<std::string> out;
  for (const auto& [name, value] : wanted) {
    const std::string had = value_of(approved, name);
    if (name.starts_with(kGate)) {
      compare_gate(name, had, value, out);
    } else if (limit_of(value) > limit_of(had)) {
      out.push_back(name + " would be " + value + " instead of " + had);
    }
  }
  return out;
}

ActArguments moved_bounds(ActArguments approved, const ActArguments& there) {
  for (auto& [name, value] : approved) {
    const std::string moved = value_of(there, name);
    if (!name.starts_with(kGate) || moved.empty()) continue;
    const auto had = custody::parse_fields(value).value_or(custody::Fields{});
    const auto now = custody::parse_fields(moved).value_or(custody::Fields{});
    value = custody::format_fields({{"clients", custody::field(had, "clients")},
                                    {"permissions", custody::field(had, "permissions")},
                                    {"socket", custody::field(now, "socket")},
                                    {"uid", custody::field(now, "uid")}});
  }
  return approved;
}

std::string encode_bounds(const ActArguments& bounds) {
  std::string out;
  for (const auto& [name, value] : bounds) out += name + ": " + value + "\n";
  return out;
}

ActArguments decode_bounds(std::string_view text) {
  ActArguments out;
  std::istringstream in{std::string(text)};
  for (std::string line; std::getline(in, line);) {
    const auto colon = line.find(": ");
    if (colon != std::string::npos) out.emplace_back(line.substr(0, colon), line.substr(colon + 2));
  }
  return out;
}

void demand_approved_bounds(core::Reader& reader, const Config& config) {
  const auto set = must(registered_custodians(reader), "the custodians' register can't be read");
  if (!set) return;
  const auto stored = must(reader.value(kBoundsValue), "the approved ceilings can't be read");
  const ActArguments approved = stored ? decode_bounds(base::as_text(*stored)) : ActArguments{};
  const auto problems = beyond(approved, bounds_of(config));
  if (problems.empty()) return;
  std::string text = config.path + " allows more than the custodians have approved: ";
  for (const std::string& one : problems) text += one + "; ";
  throw base::StartupError(text +
                           "take it back, or run `cardvault gate approve`, which says whose "
                           "signatures it takes");
}

}  // namespace cardvault::daemon
