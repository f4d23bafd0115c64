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
#include "vault/base/readable.h"

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
  const auto names = [&gate](const char* key) {
    std::vector<std::string> found;
    if (const toml::array* list = gate[key].as_array()) {
      for (const toml::node& name : *list) found.push_back(name.value_or(""));
    }
    return found;
  };
  entry.clients = gate["clients"].is_array() ? names("clients") : std::vector<std::string>{"*"};
  entry.permissions = names("permissions");
  return entry;
}

// The first HSM, other tokens of its module, and those of [[hsm.standby]].
std::vector<HsmEntry> read_hsms(const toml::table& file) {
  const auto hsm = file["hsm"];
  HsmEntry first{hsm["module"].value_or(""), hsm["token"].value_or(""),
                 hsm["softhsm_conf"].value_or(""), hsm["init_args"].value_or("")};
  std::vector<HsmEntry> hsms;
  if (const toml::array* tokens = hsm["token"].as_array()) {
    for (const toml::node& token : *tokens) {
      hsms.push_back({first.module, token.value_or(""), first.softhsm_conf, first.init_args});
    }
  }
  if (hsms.empty()) hsms.push_back(first);
  const toml::array* standbys = hsm["standby"].as_array();
  if (standbys == nullptr) return hsms;
  for (const toml::node& node : *standbys) {
    const toml::table* standby = node.as_table();
    if (standby == nullptr) continue;
    hsms.push_back({(*standby)["module"].value_or(first.module), (*standby)["token"].value_or(""),
                    (*standby)["softhsm_conf"].value_or(""), (*standby)["init_args"].value_or("")});
  }
  return hsms;
}

}  // namespace

ConfigFile read_config_file(const std::string& path) {
  toml::table file;
  try {
    base::demand_readable(
        path, "name the configuration with --config, or make a vault with `cardvault init`");
    file = toml::parse_file(path);
  } catch (const toml::parse_error& problem) {
    std::ostringstream text;
    text << path << ":" << problem.source().begin.line << ": " << problem.description();
    throw ToolError(ExitCode::kLocal, text.str());
  } catch (const base::StartupError& problem) {
    throw ToolError(ExitCode::kLocal, problem.what());
  }
  ConfigFile config;
  config.data_dir = file["vault"]["data_dir"].value_or("");
  config.admin_socket = file["vault"]["admin_socket"].value_or("");
  config.hsms = read_hsms(file);
  config.custodians_unseal = file["unseal"]["by"].value_or("") == std::string_view("custodians");
  const auto beside = [&config](const char* folder) {
    return (std::filesystem::path(config.data_dir) / ".." / folder).lexically_normal().string();
  };
  config.custody_dir = file["unseal"]["custody"].value_or(beside("custody"));
  config.audit_dir = file["audit"]["dir"].value_or(beside("audit"));
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
