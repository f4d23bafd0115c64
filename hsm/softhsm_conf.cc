#include "hsm/softhsm_conf.h"

#include <cstdlib>
#include <fstream>

namespace cardvault::hsm {

std::string softhsm_conf_of(const TokenConfig& config) {
  if (!config.softhsm_conf.empty()) return config.softhsm_conf;
  const char* named = std::getenv("SOFTHSM2_CONF");
  return named != nullptr ? named : "/etc/softhsm/softhsm2.conf";
}

std::string folder_of_softhsm_conf(const std::string& softhsm_conf) {
  std::ifstream file(softhsm_conf);
  std::string dir;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("directories.tokendir")) continue;
    line.erase(0, line.find('=') + 1);
    line.erase(0, line.find_first_not_of(" \t"));
    dir = line.substr(0, line.find_last_not_of(" \t\r\n") + 1);
  }
  return dir;
}

}  // namespace cardvault::hsm
