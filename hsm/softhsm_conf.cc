#include "hsm/softhsm_conf.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>

namespace cardvault::hsm {
namespace {

std::string trimmed(std::string text) {
  constexpr const char* kBlanks = " \t\r";
  text.erase(text.find_last_not_of(kBlanks) + 1);
  text.erase(0, text.find_first_not_of(kBlanks));
  return text;
}

}  // namespace

std::string softhsm_conf_of(const TokenConfig& config) {
  if (!config.softhsm_conf.empty()) return config.softhsm_conf;
  const char* named = std::getenv("SOFTHSM2_CONF");
  return named != nullptr ? named : "/etc/softhsm/softhsm2.conf";
}

std::string folder_of_softhsm_conf(const std::string& softhsm_conf) {
  std::ifstream file(softhsm_conf);
  std::string dir;
  for (std::string line; std::getline(file, line);) {
    line.erase(std::min(line.find('#'), line.size()));  // as SoftHSM reads it
    const auto equals = line.find('=');
    if (equals == std::string::npos || trimmed(line.substr(0, equals)) != "directories.tokendir") {
      continue;
    }
    dir = trimmed(line.substr(equals + 1));
  }
  return dir;
}

}  // namespace cardvault::hsm
