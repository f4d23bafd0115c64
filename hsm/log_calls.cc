#include "hsm/log_calls.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "vault/base/result.h"

namespace cardvault::hsm {
namespace {

namespace fs = std::filesystem;

// "  log-calls :  yes " → true. p11-kit takes "yes" only; anything but "no" is refused here.
bool sets_log_calls(std::string line) {
  std::erase_if(line, [](unsigned char c) { return c == ' ' || c == '\t' || c == '\r'; });
  if (!line.starts_with("log-calls:")) return false;
  const std::string value = line.substr(10);
  return !value.empty() && value != "no";
}

std::optional<std::string> search(const fs::path& file) {
  std::ifstream in(file);
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (sets_log_calls(line)) return file.string() + ":" + std::to_string(number);
  }
  return std::nullopt;
}

}  // namespace

std::vector<fs::path> p11_kit_configuration() {
  std::vector<fs::path> out = {"/etc/pkcs11/pkcs11.conf", "/etc/pkcs11/modules",
                               "/usr/share/p11-kit/modules"};
  fs::path user;
  if (const char* xdg = std::getenv("XDG_CONFIG_HOME"); xdg != nullptr && *xdg != '\0') {
    user = xdg;
  } else if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
    user = fs::path(home) / ".config";
  }
  if (!user.empty()) {
    out.push_back(user / "pkcs11/pkcs11.conf");
    out.push_back(user / "pkcs11/modules");
  }
  return out;
}

std::optional<std::string> find_log_calls(const std::vector<fs::path>& files) {
  for (const fs::path& path : files) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      if (auto found = search(path)) return found;
      continue;
    }
    for (const auto& entry : fs::directory_iterator(path, error)) {
      if (entry.path().extension() != ".module") continue;
      if (auto found = search(entry.path())) return found;
    }
  }
  return std::nullopt;
}

void refuse_call_logging(const std::string& module) {
  if (const auto found = find_log_calls(p11_kit_configuration())) {
    throw base::StartupError("p11-kit's log-calls is on in " + *found +
                             ": it prints PINs and card numbers. Remove that line");
  }
  if (std::getenv("P11_KIT_DEBUG") != nullptr) {
    throw base::StartupError("P11_KIT_DEBUG is set: unset it, the vault logs no PKCS#11 calls");
  }
  if (fs::path(module).filename().string().find("pkcs11-spy") != std::string::npos) {
    throw base::StartupError("hsm.module is a spy that prints PINs and card numbers: " + module);
  }
}

}  // namespace cardvault::hsm
