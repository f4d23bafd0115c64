#include "protocol/gate/config.h"

#include <toml++/toml.h>

#include <functional>
#include <set>
#include <string_view>

#include "vault/base/readable.h"
#include "vault/base/result.h"

namespace cardvault::gate {
namespace {

constexpr std::int64_t kDay_s = 86400;
constexpr std::int64_t kLongestAnswer = 4 << 20;  // JSON of a frame: it must fit by itself
constexpr std::int64_t kMaxBuffered = 0xffffffff;
constexpr std::int64_t kMaxUid = 0xfffffffe;

// Takes the keys of one table; those that nobody asked for are unknown.
class Section {
 public:
  Section(const std::string& path, std::string name, const toml::table& table)
      : path_(path), name_(std::move(name)), table_(table) {}

  void text(std::string_view key, std::string& value, bool required) {
    const toml::node* node = find(key);
    if (node == nullptr) {
      if (required) refuse("lacks the key `" + std::string(key) + "`", table_);
      return;
    }
    const auto found = node->value_exact<std::string>();
    if (!found || found->empty()) refuse(std::string(key) + " must be a text", *node);
    value = *found;
  }

  void number(std::string_view key, std::uint32_t& value, std::int64_t least, std::int64_t most,
              bool required = false) {
    const toml::node* node = find(key);
    if (node == nullptr) {
      if (required) refuse("lacks the key `" + std::string(key) + "`", table_);
      return;
    }
    const auto found = node->value_exact<std::int64_t>();
    if (!found || *found < least || *found > most) {
      refuse(std::string(key) + " must be a number from " + std::to_string(least) + " to " +
                 std::to_string(most),
             *node);
    }
    value = static_cast<std::uint32_t>(*found);
  }

  void end() const {
    for (const auto& [key, node] : table_) {
      if (!known_.contains(key.str())) refuse("unknown key `" + std::string(key.str()) + "`", node);
    }
  }

 private:
  const toml::node* find(std::string_view key) {
    known_.emplace(key);
    return table_.get(key);
  }
  [[noreturn]] void refuse(const std::string& what, const toml::node& where) const {
    throw base::StartupError(path_ + ":" + std::to_string(where.source().begin.line) + ": [" +
                             name_ + "] " + what + "; see cardvault-gate(8)");
  }

  const std::string& path_;
  std::string name_;
  const toml::table& table_;
  std::set<std::string, std::less<>> known_;
};

toml::table parse(const std::string& path) {
  base::demand_readable(path, "name the gate's configuration with --config; see cardvault-gate(8)");
  try {
    return toml::parse_file(path);
  } catch (const toml::parse_error& error) {
    throw base::StartupError(path + ":" + std::to_string(error.source().begin.line) + ": " +
                             std::string(error.description()));
  }
}

const toml::table& section(const std::string& path, const toml::table& file, const char* name) {
  const toml::table* table = file[name].as_table();
  if (table == nullptr) throw base::StartupError(path + ": lacks the section [" + name + "]");
  return *table;
}

void read_gate(Section gate, Config& config) {
  gate.text("name", config.name, true);
  gate.text("certificate", config.certificate, true);
  gate.text("key", config.key, true);
  gate.text("vault_ca", config.vault_ca, false);
  gate.text("client_ca", config.client_ca, config.vault_ca.empty());
  gate.text("crl", config.crl, false);
  gate.number("vault_uid", config.vault_uid, 0, kMaxUid, true);
  gate.number("threads", config.threads, 1, 64);
  gate.end();
}

void read_limits(Section section, Limits& limits) {
  section.number("max_connections", limits.max_connections, 1, 1'000'000);
  section.number("max_connections_per_source", limits.max_connections_per_source, 0, 1'000'000);
  section.number("handshake_timeout_s", limits.handshake_timeout_s, 1, 3600);
  section.number("header_timeout_s", limits.header_timeout_s, 1, 3600);
  section.number("body_timeout_s", limits.body_timeout_s, 1, 3600);
  section.number("idle_timeout_s", limits.idle_timeout_s, 1, kDay_s);
  section.number("answer_timeout_s", limits.answer_timeout_s, 1, 3600);
  section.number("max_body_bytes", limits.max_body_bytes, 1024, 1 << 20);
  section.number("max_buffered_bytes", limits.max_buffered_bytes, kLongestAnswer, kMaxBuffered);
  section.number("max_header_bytes", limits.max_header_bytes, 1024, 65536);
  section.end();
}

}  // namespace

Config load_config(const std::string& path) {
  const toml::table file = parse(path);
  for (const auto& [key, node] : file) {
    if (key != "gate" && key != "limits") {
      throw base::StartupError(path + ":" + std::to_string(node.source().begin.line) +
                               ": unknown key `" + std::string(key.str()) +
                               "`; the sections are [gate] and [limits]");
    }
  }
  Config config;
  read_gate(Section(path, "gate", section(path, file, "gate")), config);
  if (file.contains("limits")) {
    read_limits(Section(path, "limits", section(path, file, "limits")), config.limits);
  }
  return config;
}

}  // namespace cardvault::gate
