#include "provisioning/config_file.h"

#include <toml++/toml.h>
#include <array>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string_view>

#include "provisioning/exit_code.h"

namespace cardvault::provisioning {
namespace {

constexpr std::string_view kPinSource = "pin-source=";

std::string percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() &&
        std::isxdigit(static_cast<unsigned char>(text[i + 1])) != 0) {
      const std::string hex(text.substr(i + 1, 2));
      out += static_cast<char>(std::strtol(hex.c_str(), nullptr, 16));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

GateEntry read_gate(const toml::table& gate) {
  GateEntry entry;
  entry.name = gate["name"].value_or("");
  entry.socket = gate["socket"].value_or("");
  entry.uid = gate["uid"].value_or(std::int64_t{-1});
  const toml::array* clients = gate["clients"].as_array();
  if (clients == nullptr) {
    entry.clients = {"*"};
  } else {
    for (const toml::node& client : *clients) entry.clients.push_back(client.value_or(""));
  }
  return entry;
}

// The first HSM, other tokens of its module, and those of [[hsm.standby]].
std::vector<HsmEntry> read_hsms(const toml::table& file) {
  const auto hsm = file["hsm"];
  HsmEntry first{hsm["module"].value_or(""), hsm["token"].value_or(""),
                 hsm["softhsm_conf"].value_or("")};
  std::vector<HsmEntry> hsms;
  if (const toml::array* tokens = hsm["token"].as_array()) {
    for (const toml::node& token : *tokens) {
      hsms.push_back({first.module, token.value_or(""), first.softhsm_conf});
    }
  }
  if (hsms.empty()) hsms.push_back(first);
  const toml::array* standbys = hsm["standby"].as_array();
  if (standbys == nullptr) return hsms;
  for (const toml::node& node : *standbys) {
    const toml::table* standby = node.as_table();
    if (standby == nullptr) continue;
    hsms.push_back({(*standby)["module"].value_or(first.module), (*standby)["token"].value_or(""),
                    (*standby)["softhsm_conf"].value_or("")});
  }
  return hsms;
}

}  // namespace

ConfigFile read_config_file(const std::string& path) {
  toml::table file;
  try {
    file = toml::parse_file(path);
  } catch (const toml::parse_error& problem) {
    std::ostringstream text;
    text << path << ": " << problem.description();
    if (problem.source().begin) text << " (" << problem.source().begin << ")";
    throw ToolError(ExitCode::kLocal,
                    text.str() + ": name the right file with --config, or make a vault with init");
  }
  ConfigFile config;
  config.data_dir = file["vault"]["data_dir"].value_or("");
  config.admin_socket = file["vault"]["admin_socket"].value_or("");
  config.hsms = read_hsms(file);
  config.custodians_unseal = file["unseal"]["by"].value_or("") == std::string_view("custodians");
  const auto beside = std::filesystem::path(config.data_dir) / ".." / "custody";
  config.custody_dir = file["unseal"]["custody"].value_or(beside.lexically_normal().string());
  if (const toml::array* gates = file["gate"].as_array()) {
    for (const toml::node& node : *gates) {
      const toml::table* gate = node.as_table();
      if (gate == nullptr) continue;
      config.gates.push_back(read_gate(*gate));
    }
  }
  return config;
}

std::string pin_file_of(const std::string& token_uri) {
  const auto begin = token_uri.find(kPinSource);
  if (begin == std::string::npos) return "";
  std::string_view value = std::string_view(token_uri).substr(begin + kPinSource.size());
  value = value.substr(0, value.find_first_of("&;"));
  std::string path = percent_decode(value);
  if (path.starts_with("file:")) path.erase(0, 5);
  if (path.starts_with("//")) path.erase(0, 2);
  return path;
}

std::string uri_encode(const std::string& text) {
  constexpr std::string_view kPlain = "-._~/:";  // unreserved and what both parts allow
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || kPlain.find(c) != std::string_view::npos) {
      out += c;
    } else {
      std::array<char, 4> escape{};
      std::snprintf(escape.data(), escape.size(), "%%%02X", static_cast<unsigned>(byte));
      out += escape.data();
    }
  }
  return out;
}

}  // namespace cardvault::provisioning
